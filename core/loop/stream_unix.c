/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unix socket that one client at a time connects to. What the guest writes while nobody is there
 * fills the buffer, and the next client gets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vmm/support.h>

#include "log/log.h"
#include "loop/last_name.h"
#include "loop/stream_impl.h"

#define BACKLOG  4
#define RETRY_NS UINT64_C(1000000000)

struct unix_stream {
	struct stream stream; /* its in and out are the client */
	struct channel listener;
	struct loop_timer *retry; /* when there was no fd for a client */
	struct sockaddr_un address;
	struct last_name name; /* of the file, which is ours to remove; base NULL: it is not */
	dev_t device;
	ino_t inode;
};

/* --- Clients --- */

static void watch_listener(struct unix_stream *sock)
{
	if (channel_set(&sock->listener, VMM_WATCH_READ) < 0)
		log_write(VMM_LOG_ERROR, sock->stream.name, "the loop cannot watch the socket");
}

static void disconnect(struct unix_stream *sock)
{
	struct stream *stream = &sock->stream;

	stream->out = NULL;
	stream->want_input = false;
	stream->want_output = false;
	stream->ended = false;
	channel_fini(&stream->in);
	stream_event(stream, VMM_STREAM_CLOSED);
}

/* A client whose input the guest does not read is not read, so its end goes unnoticed. */
static bool client_is_gone(const struct stream *stream)
{
	struct pollfd state = {.fd = stream->in.fd, .events = 0};

	return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR));
}

static bool has_input(const struct stream *stream)
{
	char byte;

	return recv(stream->in.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/*
 * A client that ended its own side may wait for the answer; one that takes no more output may have
 * sent what the guest has not read yet.
 */
static void lost(struct stream *stream, struct channel *channel, int error)
{
	(void)channel;
	if (!error && stream->out && !client_is_gone(stream)) {
		stream->ended = true;
		stream->want_input = false;
	} else if (error && stream->out && !stream->ended && has_input(stream)) {
		stream->out = NULL;
		stream->want_output = false;
	} else {
		disconnect((struct unix_stream *)stream);
	}
}

static void connect_client(struct unix_stream *sock, int fd)
{
	struct stream *stream = &sock->stream;

	if (channel_is_open(&stream->in) && client_is_gone(stream))
		disconnect(sock);
	if (channel_is_open(&stream->in)) {
		close(fd);
		log_write(VMM_LOG_INFO, stream->name, "a second console client was turned away");
		return;
	}
	channel_init(&stream->in, stream->loop, fd, stream_channel_cb, stream);
	stream->out = &stream->in;
	stream_event(stream, VMM_STREAM_CONNECTED);
	stream_update_input(stream);
	stream_drain(stream);
}

static void listener_cb(void *ctx, uint32_t events)
{
	struct unix_stream *sock = ctx;
	int fd = accept4(sock->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		connect_client(sock, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* The connection stays in the queue and would wake the loop at once again. */
		channel_set(&sock->listener, 0);
		loop_timer_arm(sock->retry, loop_now(NULL, VMM_CLOCK_HOST) + RETRY_NS);
	}
}

static void retry_cb(void *ctx)
{
	watch_listener(ctx);
}

static void begin(struct stream *stream)
{
	watch_listener((struct unix_stream *)stream);
}

/* --- The socket file --- */

/* VMM_E_NOT_FOUND: the name is free; 0: there is a socket that nobody listens on. */
static int check_name(const struct sockaddr_un *address, struct vmm_error *error)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return VMM_E_NOT_FOUND; /* or bind() will say what is wrong */
	if (!S_ISSOCK(st.st_mode)) {
		vmm_set_error(error,
			"\"%s\" exists and is not a socket; remove it or use another "
			"path for the console",
			address->sun_path);
		return VMM_E_EXISTS;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		vmm_set_error(error, "a socket cannot be made: %s", strerror(errno));
		return VMM_E_LIMIT;
	}
	bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		       errno == ECONNREFUSED;

	close(fd);
	if (refused)
		return 0;
	vmm_set_error(
		error, "console socket \"%s\" is in use by another process", address->sun_path);
	return VMM_E_BUSY;
}

static int bind_socket(struct unix_stream *sock, int fd, struct vmm_error *error)
{
	const char *path = sock->address.sun_path;
	struct stat st;
	int ret = check_name(&sock->address, error);

	if (ret < 0 && ret != VMM_E_NOT_FOUND)
		return ret;
	if (!ret)
		unlink(path);
	/* On Linux the mode of the socket is the one that bind() gives the file. */
	if (fchmod(fd, 0600) < 0 ||
		bind(fd, (const struct sockaddr *)&sock->address, sizeof(sock->address)) < 0) {
		ret = errno == EADDRINUSE ? VMM_E_BUSY : VMM_E_IO;
		vmm_set_error(
			error, "console socket \"%s\" cannot be made: %s", path, strerror(errno));
		return ret;
	}
	ret = last_name_init(&sock->name, path);
	if (ret < 0 || last_name_stat(&sock->name, &st) < 0 || listen(fd, BACKLOG) < 0) {
		vmm_set_error(error, "console socket \"%s\" cannot be listened on: %s", path,
			strerror(errno));
		return VMM_E_IO;
	}
	sock->device = st.st_dev;
	sock->inode = st.st_ino;
	return 0;
}

static int open_unix(struct stream *stream, const struct stream_args *args, struct vmm_error *error)
{
	struct unix_stream *sock = (struct unix_stream *)stream;
	size_t most = sizeof(sock->address.sun_path) - 1;

	if (!args->path || !*args->path) {
		vmm_set_error(error, "a console on a unix socket needs a path");
		return VMM_E_INVAL;
	}
	if (strlen(args->path) > most) {
		vmm_set_error(error, "the path of console socket \"%s\" is longer than %zu bytes",
			args->path, most);
		return VMM_E_RANGE;
	}
	sock->address.sun_family = AF_UNIX;
	memcpy(sock->address.sun_path, args->path, strlen(args->path));

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		vmm_set_error(error, "a socket cannot be made: %s", strerror(errno));
		return VMM_E_LIMIT;
	}
	channel_init(&sock->listener, stream->loop, fd, listener_cb, sock);
	int ret =
		loop_timer_add(stream->loop, stream, VMM_CLOCK_HOST, retry_cb, sock, &sock->retry);

	if (ret < 0) {
		vmm_set_error(error, "a timer for the console socket cannot be made: %s",
			vmm_error_text(ret));
		return ret;
	}
	return bind_socket(sock, fd, error);
}

static void close_unix(struct stream *stream)
{
	struct unix_stream *sock = (struct unix_stream *)stream;
	struct stat st;

	/* Another vmm may have taken the name over. */
	if (sock->name.base && !last_name_stat(&sock->name, &st) && st.st_dev == sock->device &&
		st.st_ino == sock->inode)
		last_name_remove(&sock->name);
	last_name_fini(&sock->name);
	loop_timer_remove(sock->retry);
	channel_fini(&sock->listener);
}

const struct stream_kind stream_kind_unix = {
	.bytes = sizeof(struct unix_stream),
	.open = open_unix,
	.begin = begin,
	.lost = lost,
	.close = close_unix,
};
