/* cpm-compose --show: what a message holds, for people. */
#ifndef BIN_COMPOSE_SHOW_H
#define BIN_COMPOSE_SHOW_H

/* Prints the headers of the message that fd stands for, and where its content lies. Of a file only
 * the head is read; a pipe is read to its end. Gives the exit status, errors are said. */
int show(int fd, const char *name);

#endif
