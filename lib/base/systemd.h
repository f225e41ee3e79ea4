/* What systemd hands to a service, and wants to hear from it (sd_listen_fds(3), sd_notify(3)),
 * without its library. */
#ifndef BASE_SYSTEMD_H
#define BASE_SYSTEMD_H

#define SYSTEMD_FIRST_FD 3

/* How many descriptors from SYSTEMD_FIRST_FD on are ours, now close-on-exec and non-blocking; 0
 * where the process was not started so. The variables are taken away. */
int systemd_fds(void);

/* "READY=1", where somebody wants to know. 0 or an errno value. */
int systemd_ready(void);

#endif
