/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that console output is appended to. There is no input.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <vmm/support.h>

#include "loop/stream_impl.h"

static int open_file(struct stream *stream, const struct stream_args *args, struct vmm_error *error)
{
	if (!args->path) {
		vmm_set_error(error, "a console in a file needs a path");
		return VMM_E_INVAL;
	}
	int fd = open(args->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		0600);

	if (fd < 0) {
		/* A FIFO that nobody reads, or a socket. */
		const char *why = errno == ENXIO ? "nobody reads from it" : strerror(errno);

		vmm_set_error(error, "console file \"%s\" cannot be opened: %s", args->path, why);
		return VMM_E_IO;
	}
	channel_init(&stream->separate_out, stream->loop, fd, stream_out_channel_cb, stream);
	stream->out = &stream->separate_out;
	return 0;
}

const struct stream_kind stream_kind_file = {
	.bytes = sizeof(struct stream),
	.open = open_file,
};
