/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.stream/1": byte streams to a person or another program, for consoles. The
 * core owns terminals, sockets and files; the terminal is restored however the process ends.
 */
#ifndef VMM_STREAM_H
#define VMM_STREAM_H

#include <vmm/types.h>

#define VMM_STREAM_ID "vmm.stream/1"

#define VMM_STREAM_NULL  100u /* output is dropped, there is no input */
#define VMM_STREAM_STDIO 200u /* standard input and output; one device only; raw on a terminal */
#define VMM_STREAM_PTY   300u /* a new pseudo terminal; its name is logged */
#define VMM_STREAM_FILE  400u /* output is appended to a file */
#define VMM_STREAM_UNIX  500u /* listens on a unix socket, one client at a time */

#define VMM_STREAM_CONNECTED 0x1u
#define VMM_STREAM_CLOSED    0x2u /* a client left, or end of input */
#define VMM_STREAM_DRAINED   0x4u /* there is room again after write took less than all */

/** Callbacks: a table. [loop] of the loop given to open. */
struct vmm_stream_ops {
	uint64_t size;

	/** Input arrived; bytes is at most what input_room() said last. */
	void (*input)(void *ctx, const uint8_t *data, uint64_t bytes);

	/** How many bytes of input are wanted now; 0 stops reading until resume(). */
	uint64_t (*input_room)(void *ctx);

	/** Something happened: VMM_STREAM_CONNECTED .... Optional. */
	void (*event)(void *ctx, uint32_t events);
};
VMM_ASSERT_SIZE(vmm_stream_ops, 32);
VMM_ASSERT_OFFSET(vmm_stream_ops, size, 0);
VMM_ASSERT_OFFSET(vmm_stream_ops, input, 8);
VMM_ASSERT_OFFSET(vmm_stream_ops, input_room, 16);
VMM_ASSERT_OFFSET(vmm_stream_ops, event, 24);

/** A stream to open: a request. */
struct vmm_stream_open {
	uint64_t struct_size;
	uint32_t kind;    /* VMM_STREAM_... */
	uint32_t flags;   /* 0 */
	const char *path; /* FILE, UNIX; PTY: a symbolic link to make, or NULL; copied */
	uint64_t loop;
	const struct vmm_stream_ops *ops; /* until close */
	void *ctx;                        /* first argument of ops */
	struct vmm_error *error;
};
VMM_ASSERT_SIZE(vmm_stream_open, 56);
VMM_ASSERT_OFFSET(vmm_stream_open, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_stream_open, kind, 8);
VMM_ASSERT_OFFSET(vmm_stream_open, flags, 12);
VMM_ASSERT_OFFSET(vmm_stream_open, path, 16);
VMM_ASSERT_OFFSET(vmm_stream_open, loop, 24);
VMM_ASSERT_OFFSET(vmm_stream_open, ops, 32);
VMM_ASSERT_OFFSET(vmm_stream_open, ctx, 40);
VMM_ASSERT_OFFSET(vmm_stream_open, error, 48);

/** Table of functions. */
struct vmm_stream {
	uint64_t size;

	/** Opens a stream; nothing is read before start of the device. [config] */
	int32_t (*open)(vmm_host *host, const struct vmm_stream_open *req, uint64_t *ret_stream);

	/**
	 * Takes up to bytes bytes for output and returns how many; never blocks. What a slow or
	 * absent reader does not take is dropped once a bounded buffer is full, and counted; then
	 * the return value is smaller than bytes. [any]
	 */
	int64_t (*write)(vmm_host *host, uint64_t stream, const uint8_t *data, uint64_t bytes);

	/** There is room for input again: asks input_room() soon. [any] */
	void (*resume)(vmm_host *host, uint64_t stream);

	/** Writes out what is buffered, within a short time, and closes. [config] */
	void (*close)(vmm_host *host, uint64_t stream);
};
VMM_ASSERT_SIZE(vmm_stream, 40);
VMM_ASSERT_OFFSET(vmm_stream, size, 0);
VMM_ASSERT_OFFSET(vmm_stream, open, 8);
VMM_ASSERT_OFFSET(vmm_stream, write, 16);
VMM_ASSERT_OFFSET(vmm_stream, resume, 24);
VMM_ASSERT_OFFSET(vmm_stream, close, 32);

#endif
