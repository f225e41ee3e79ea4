/* Mailboxes: Unix datagram sockets by name in a folder that nobody else may enter, for short notes
 * between processes of one user, with a descriptor if wanted. A mailbox lives as long as its
 * process; what is in it lives as long as it does. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stddef.h>

#define MAILBOX_NAME_MAX 64 /* longer names are refused, and so are "/" and a leading dot */
#define MAILBOX_NOTE_MAX 128

/* The folder PATH, made with 0700 where it is missing, as a descriptor. 0 or an errno value: EPERM
 * when it is not ours alone. */
int mailbox_folder(const char *path, int *folder);

/* A new mailbox, non-blocking, readable when something came. EEXIST, EINVAL, ... */
int mailbox_open(int folder, const char *name, int *fd);

/* No more mail: what is there can still be read, and nobody can add to it. */
void mailbox_shut(int folder, const char *name, int fd);

/* The socket that notes are sent from. */
int mailbox_sender(int *fd);

/* Sends a note, and a copy of the descriptor `pass` if it is not -1; ours stays open. 0; ENOENT:
 * there is no such mailbox (any more; what a dead process left is removed); EAGAIN: it is full, or
 * too many descriptors are on their way. */
int mailbox_send(int sender, int folder, const char *name, const char *note, int pass);

/* The next note as text, and its descriptor or -1, which is the caller's. 0, or EAGAIN. */
int mailbox_read(int fd, char note[MAILBOX_NOTE_MAX + 1], int *passed);

#endif
