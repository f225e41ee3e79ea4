/* Files whose owner, mode and file system matter, and the only calls that sync. All give 0 or an
 * errno value. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum file_create { FILE_IS_THERE, FILE_CREATE, FILE_CREATE_SCRATCH };

/* A regular file that is ours alone: O_NOFOLLOW, O_CLOEXEC, owned by the effective user, closed to
 * others, on a local file system. With FILE_CREATE a missing one is made (O_EXCL, 0600) and its
 * folder synced; with FILE_CREATE_SCRATCH its name may be lost with the power. Else: ELOOP (a
 * link), EINVAL (not a regular file), EPERM (another owner), EACCES (mode, or no permission),
 * EREMOTE (not a local file system), or open's errno. */
int file_open_private(const char *path, int flags, enum file_create create, int *fd);

/* What stands in a file that holds one secret, as a text without its last line end. The file (a
 * link is followed) has to be regular, ours or root's, and closed to others. EACCES (mode, or no
 * permission), EPERM (another owner), EINVAL (not regular), ENODATA (nothing in it), EMSGSIZE (more
 * than FILE_SECRET_MAX), EILSEQ (a NUL or a further line end), or open's and read's errno. The
 * caller frees it by file_forget_secret. */
#define FILE_SECRET_MAX 1024
int file_read_secret(const char *path, char **secret);
const char *file_secret_error(int error); /* in words, for an error line */
void file_forget_secret(char *secret);    /* overwritten before it is freed; NULL is harmless */

int file_same(int fd, const char *path, bool *same); /* is the name still this file? */

/* The folder that this very program lies in; the caller frees it. NULL: the kernel does not say. */
char *file_program_folder(void);

int file_sync_data(int fd);             /* fdatasync, EINTR handled */
char *file_folder_of(const char *path); /* "." where there is none; the caller frees it */
int file_sync_folder(const char *folder);
int file_sync_folder_of(const char *path);
int file_sync_system(int fd); /* all that was written to its file system, names too */

/* Names. Nothing is ever replaced (EEXIST), and nothing here is durable before its folder is
 * synced. */
int file_create(const char *path, int *fd); /* 0600, for reading and writing */
int file_make_folder(const char *path);     /* 0700; 0 too where there is one */
int file_move(const char *from, const char *to);
int file_link(const char *from, const char *to);
int file_remove(const char *path);
int file_remove_folder(const char *path); /* ENOTEMPTY */

/* Room for `octets` after the end, without changing the size. Gives 0 where the file system has no
 * such thing. */
int file_reserve(int fd, off_t octets);
int file_unreserve(int fd); /* gives back what is reserved and not written */

/* The folder for files of a run: $XDG_RUNTIME_DIR/cpm, else /run/cpm if writable, else a private
 * one under TMPDIR. Made with 0700 and checked. The caller frees *path. */
int file_run_folder(char **path);

int file_check_local(int fd); /* EREMOTE: locks and syncs are somebody else's promise */

/* Ours or root's, and writable by nobody else unless sticky. Else EPERM. */
int file_check_folder(const char *path);

int file_write_all(int fd, const void *bytes, size_t n); /* blocking descriptors only */

/* A nameless temporary file in TMPDIR (else /tmp), gone with its last descriptor. */
int file_temporary(int *fd);

#endif
