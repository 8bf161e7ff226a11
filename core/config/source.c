/* SPDX-License-Identifier: Apache-2.0 */
/* Reads config files and puts includes in place; the tokens are scan.c's. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/support.h>

#include "config/scan.h"
#include "config/source.h"

void source_init(struct source *source, struct arena *arena, struct vmm_error *error)
{
	*source = (struct source){.arena = arena, .error = error};
}

void source_fini(struct source *source)
{
	free(source->text);
	free(source->lines);
	source->text = NULL;
	source->lines = NULL;
}

struct config_place source_place(const struct source *source, unsigned line)
{
	if (!source->line_count)
		return (struct config_place){0};
	if (line < 1)
		line = 1;
	if (line > source->line_count)
		line = (unsigned)source->line_count;
	return source->lines[line - 1];
}

int node_errno_code(int number)
{
	switch (number) {
	case 0:
		return 0;
	case ENOENT:
	case ENOTDIR:
		return VMM_E_NOT_FOUND;
	case EACCES:
	case EPERM:
		return VMM_E_PERM;
	case ENOMEM:
		return VMM_E_NOMEM;
	default:
		return VMM_E_IO;
	}
}

static int read_all(struct source *source, int fd, const char *path, const struct stat *info,
	char **ret_text, size_t *ret_bytes)
{
	size_t limit = NODE_FILE_BYTES_MAX - source->file_bytes;
	size_t room = (size_t)info->st_size < limit ? (size_t)info->st_size : limit;
	char *text = malloc(room + 1);
	size_t have = 0;

	if (!text)
		return VMM_E_NOMEM;
	while (have <= room) {
		ssize_t got = read(fd, text + have, room + 1 - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int number = errno;

			vmm_set_error(
				source->error, "%s: cannot be read: %s", path, strerror(number));
			free(text);
			return node_errno_code(number);
		}
		if (got == 0)
			break;
		have += (size_t)got;
	}
	if (have > limit) {
		vmm_set_error(source->error,
			"%s: a configuration may have at most %zu bytes, with its includes", path,
			NODE_FILE_BYTES_MAX);
		free(text);
		return VMM_E_LIMIT;
	}
	if (have > room) {
		vmm_set_error(source->error, "%s: became longer while it was read", path);
		free(text);
		return VMM_E_BUSY;
	}
	source->file_bytes += have;
	*ret_text = text;
	*ret_bytes = have;
	return 0;
}

/* Opens a file that may be read as a config: regular, and not one that includes this one. */
static int open_regular(struct source *source, const char *path, const struct scan_file *parent,
	struct stat *ret_stat, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int number = errno;

		vmm_set_error(source->error, "%s: %s", path, strerror(number));
		return node_errno_code(number);
	}
	if (fstat(fd, ret_stat)) {
		int number = errno;

		vmm_set_error(source->error, "%s: %s", path, strerror(number));
		close(fd);
		return node_errno_code(number);
	}
	if (!S_ISREG(ret_stat->st_mode)) {
		vmm_set_error(source->error, "%s: %s, not a regular file", path,
			S_ISDIR(ret_stat->st_mode) ? "a directory" : "a device, pipe or socket");
		close(fd);
		return VMM_E_INVAL;
	}
	for (; parent; parent = parent->parent) {
		if (parent->device != ret_stat->st_dev || parent->inode != ret_stat->st_ino)
			continue;
		vmm_set_error(source->error, "%s: includes itself", path);
		close(fd);
		return VMM_E_INVAL;
	}
	*ret_fd = fd;
	return 0;
}

/* The text of an error of an included file gets the place of the @include in front. */
static void prefix_place(struct source *source, struct config_place place)
{
	char where[CONFIG_ERROR_BYTES];
	char text[CONFIG_ERROR_BYTES];

	if (!source->error || !source->error->text)
		return;
	snprintf(text, sizeof(text), "%s", source->error->text);
	vmm_set_error(source->error, "%s: @include: %s",
		config_place_text(place, where, sizeof(where)), text);
}

int source_include(struct source *source, const char *path, const struct scan_file *parent,
	struct config_place place)
{
	struct scan_file file = {.parent = parent, .name = path};
	struct stat info = {0};
	char *text = NULL;
	size_t bytes = 0;
	int fd = -1;
	int ret = 0;

	if (parent && parent->depth + 1 >= NODE_INCLUDES_MAX) {
		vmm_set_error(source->error, "%s: more than %u files include each other", path,
			NODE_INCLUDES_MAX);
		ret = VMM_E_LIMIT;
	} else if (++source->files > NODE_FILES_MAX) {
		vmm_set_error(
			source->error, "%s: more than %u files are included", path, NODE_FILES_MAX);
		ret = VMM_E_LIMIT;
	}
	if (!ret)
		ret = open_regular(source, path, parent, &info, &fd);
	if (!ret) {
		ret = read_all(source, fd, path, &info, &text, &bytes);
		close(fd);
	}
	if (ret) {
		if (parent)
			prefix_place(source, place);
		return ret;
	}
	file.depth = parent ? parent->depth + 1 : 0;
	file.device = info.st_dev;
	file.inode = info.st_ino;
	file.next = text;
	file.end = text + bytes;
	file.line = 1;
	ret = scan(source, &file);
	free(text);
	return ret;
}

int source_add_file(struct source *source, const char *path)
{
	char *name = arena_strdup(source->arena, path);

	if (!name)
		return VMM_E_NOMEM;
	return source_include(source, name, NULL, (struct config_place){0});
}

int source_add_text(struct source *source, const char *text, const char *name)
{
	struct scan_file file = {
		.name = name, .next = text, .end = text + strlen(text), .is_text = true};

	return scan(source, &file);
}
