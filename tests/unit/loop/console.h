/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device with a console, for tests of streams: it keeps what comes in and counts events.
 */
#ifndef TESTS_LOOP_CONSOLE_H
#define TESTS_LOOP_CONSOLE_H

#include "fixture.h"
#include "loop/stream.h"

#define CONSOLE_BYTES (256u * 1024)

struct console {
	struct loop *loop;
	struct stream *stream;
	uint64_t room; /* what input_room() says; input takes from it */
	bool echo;     /* input is written back, as a getty does */
	bool wrong;    /* a callback broke its promise */
	size_t used;
	uint32_t input_calls;
	uint32_t room_calls;
	uint32_t connected;
	uint32_t closed;
	uint32_t drained;
	uint32_t quits;
	uint32_t buttons;
	char error[256];
	uint8_t data[CONSOLE_BYTES + 1];
};

/** Opens a stream for it. Returns what stream_open() does; text of an error in ->error. */
int console_open(struct console *console, struct loop *loop, uint32_t kind, const char *path);

/** Closes the stream, if there is one. */
void console_close(struct console *console);

/** Runs the loop until that many bytes of input came. */
bool console_wait(struct console *console, size_t bytes);

/** Writes text and says whether all was taken. */
bool console_print(struct console *console, const char *text);

#endif
