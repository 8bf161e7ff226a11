/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte streams to a person or another program: what vmm.stream of the plugin ABI is made of.
 * Terminals, pseudo terminals, files and unix sockets, each behind one bounded output buffer that
 * any thread may write to, and input that comes on a loop only as far as it is wanted.
 *
 * On a terminal, standard input is put into raw mode when the loop first runs, and Ctrl-a is an
 * escape: x ends the machine, p presses the power button, h lists the keys, a or Ctrl-a sends one
 * Ctrl-a to the guest.
 */
#ifndef LOOP_STREAM_H
#define LOOP_STREAM_H

#include <stdint.h>

#include <vmm/stream.h>

struct loop;
struct stream;

/** Output that a stream holds for a slow reader. */
#define STREAM_BUFFER_BYTES 65536u

/** What the escapes of a terminal do. [loop] of the stream. Either may be NULL. */
struct stream_console {
	void (*quit)(void *ctx);
	void (*power_button)(void *ctx);
	void *ctx;
};

/** A stream to open. */
struct stream_args {
	uint32_t kind;     /* VMM_STREAM_... */
	const char *path;  /* FILE, UNIX; PTY: a symbolic link to make, or NULL */
	const char *name;  /* device id, for messages; copied */
	struct loop *loop; /* of ops */
	const struct vmm_stream_ops
		*ops; /* a copy that has every slot, until close; event may be NULL */
	void *ctx;
	struct stream_console console; /* for VMM_STREAM_STDIO */
};

/** Opens a stream. Nothing is read, and no callback comes, before the loop runs. [config] */
int stream_open(
	const struct stream_args *args, struct stream **ret_stream, struct vmm_error *error);

/**
 * Takes up to bytes bytes for output and returns how many: fewer when the buffer is full. The rest
 * is dropped and counted. Never blocks. [any]
 */
int64_t stream_write(struct stream *stream, const uint8_t *data, uint64_t bytes);

/** There is room for input again: input_room() is asked soon. [any] */
void stream_resume(struct stream *stream);

/**
 * Writes out what is buffered, as long as the reader takes it and for at most a second, closes and
 * frees; NULL is fine. STDIO restores the terminal. [config]
 */
void stream_close(struct stream *stream);

/** Output bytes dropped so far. [any] */
uint64_t stream_dropped(struct stream *stream);

/** Name of the slave terminal of a PTY ("/dev/pts/3"), NULL for the others. [any] */
const char *stream_pty_name(const struct stream *stream);

#endif
