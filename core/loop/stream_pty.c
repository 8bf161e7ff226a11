/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new pseudo terminal, for a person to attach to with screen or the like. We hold the slave open,
 * too: so the master never hangs up, which would make it readable for ever, and the raw mode stays
 * whoever comes and goes. The price is that we do not know whether anybody is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <vmm/support.h>

#include "log/log.h"
#include "loop/last_name.h"
#include "loop/stream_impl.h"

#define NAME_BYTES 64

struct pty {
	struct stream stream;
	int slave; /* 0: not open yet; it is never a standard fd */
	char slave_name[NAME_BYTES];
	struct last_name link; /* base NULL: none was made */
};

/* Creates the slave's device in raw mode: with echo, a guest would get its own output as input. */
static int open_slave(struct pty *pty, int master)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct termios mode;

	if (grantpt(master) < 0 || unlockpt(master) < 0 ||
		ptsname_r(master, pty->slave_name, sizeof(pty->slave_name)) != 0)
		return -1;
	pty->slave = open(pty->slave_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty->slave < 0) {
		pty->slave = 0;
		return -1;
	}
	if (tcgetattr(pty->slave, &mode) < 0)
		return -1;
	cfmakeraw(&mode);
	if (tcsetattr(pty->slave, TCSANOW, &mode) < 0)
		return -1;
	/* For is_in_use(); without it a link to this one would be taken for a stale one. */
	(void)fcntl(pty->slave, F_OFD_SETLK, &whole);
	return fchmod(pty->slave, 0600);
}

/* A link that an earlier vmm left: one that leads nowhere, or to a pseudo terminal. */
static bool is_stale_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t bytes = readlink(path, target, sizeof(target) - 1);

	if (bytes < 0)
		return false;
	target[bytes] = '\0';
	return !strncmp(target, "/dev/pts/", strlen("/dev/pts/")) || access(path, F_OK) < 0;
}

/* Another vmm has the pseudo terminal that the link leads to. */
static bool is_in_use(const char *path)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	bool locked;

	if (fd < 0)
		return false;
	locked = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
	close(fd);
	return locked;
}

static int make_link(struct pty *pty, const char *path, struct vmm_error *error)
{
	bool is_stale = is_stale_link(path);

	if (is_stale && is_in_use(path)) {
		vmm_set_error(error,
			"the symbolic link \"%s\" is that of another process's console; use "
			"another path",
			path);
		return VMM_E_BUSY;
	}
	if (is_stale)
		unlink(path);
	if (symlink(pty->slave_name, path) < 0) {
		int ret = errno == EEXIST ? VMM_E_EXISTS : VMM_E_IO;

		vmm_set_error(error, "the symbolic link \"%s\" to the console cannot be made: %s",
			path, strerror(errno));
		return ret;
	}
	int err = last_name_init(&pty->link, path);

	if (!err)
		return 0;
	unlink(path);
	vmm_set_error(error, "the directory of \"%s\" cannot be opened: %s", path, strerror(-err));
	return VMM_E_IO;
}

static int open_pty(struct stream *stream, const struct stream_args *args, struct vmm_error *error)
{
	struct pty *pty = (struct pty *)stream;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (master < 0) {
		vmm_set_error(error, "a pseudo terminal cannot be made: %s", strerror(errno));
		return VMM_E_LIMIT;
	}
	channel_init(&stream->in, stream->loop, master, stream_channel_cb, stream);
	stream->out = &stream->in;
	if (open_slave(pty, master) < 0) {
		vmm_set_error(error, "a pseudo terminal cannot be set up: %s", strerror(errno));
		return VMM_E_IO;
	}
	if (args->path) {
		int ret = make_link(pty, args->path, error);

		if (ret < 0)
			return ret;
	}
	log_write(VMM_LOG_INFO, stream->name, "the console is on %s%s%s", pty->slave_name,
		pty->link.base ? ", linked from " : "", pty->link.base ? args->path : "");
	return 0;
}

static void close_pty(struct stream *stream)
{
	struct pty *pty = (struct pty *)stream;
	char target[PATH_MAX];

	/* Another vmm may have taken the name over. */
	if (pty->link.base && last_name_read_link(&pty->link, target, sizeof(target)) > 0 &&
		!strcmp(target, pty->slave_name))
		last_name_remove(&pty->link);
	last_name_fini(&pty->link);
	if (pty->slave)
		close(pty->slave);
}

const char *stream_pty_name(const struct stream *stream)
{
	const struct pty *pty = (const struct pty *)stream;

	return stream->kind == &stream_kind_pty ? pty->slave_name : NULL;
}

const struct stream_kind stream_kind_pty = {
	.bytes = sizeof(struct pty),
	.open = open_pty,
	.close = close_pty,
};
