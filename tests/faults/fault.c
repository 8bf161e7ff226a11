/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fault.h. No allocation here, and nothing that is interposed but by way of an exemption: this
 * runs inside of malloc().
 */
#include "fault.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SITES   1024u
#define BLOCKS  4096u
#define FDS_MAX 128u

struct site {
	uintptr_t address;
	uint32_t calls;
};

struct block {
	void *memory; /* NULL: free; GONE: was used */
	uintptr_t site;
	const char *call;
	uint32_t generation;
};

#define GONE ((void *)1)

static struct {
	atomic_flag lock; /* guards what follows; nothing is called under it */
	enum fault_mode mode;
	bool failing; /* PERSISTENT has come to its point */
	struct fault_point point;
	uint32_t interruptible;
	struct site sites[SITES];
	struct block blocks[BLOCKS];
	uint32_t generation;
	bool is_open[FDS_MAX]; /* at fault_mark() */
	bool program, plugins;
} state = {.lock = ATOMIC_FLAG_INIT, .program = true, .plugins = true};

/* Shared with what is forked; vmm itself does that, too. */
static struct record {
	uint32_t hits;
	uint64_t errors[2]; /* a bit for each errno that was given out */
	uint32_t count;
	struct fault_point points[FAULT_POINTS_MAX];
} * record;

static _Thread_local uint32_t exempt;

static void lock(void)
{
	while (atomic_flag_test_and_set_explicit(&state.lock, memory_order_acquire))
		continue;
}

static void unlock(void)
{
	atomic_flag_clear_explicit(&state.lock, memory_order_release);
}

void fault_exempt_enter(void)
{
	exempt++;
}

void fault_exempt_leave(void)
{
	exempt--;
}

void fault_scope(bool program, bool plugins)
{
	state.program = program;
	state.plugins = plugins;
}

/* Safe everywhere, also inside of the dynamic linker: no lock is taken. */
static const struct link_map *object_of(const void *address)
{
	struct dl_find_object found;

	if (_dl_find_object((void *)(uintptr_t)address, &found))
		return NULL;
	return found.dlfo_link_map;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_counted(const void *caller)
{
	const struct link_map *object;

	if (exempt)
		return false;
	object = object_of(caller);
	if (!object)
		return false;
	if (!object->l_name[0])
		return state.program;
	return state.plugins && !starts_with(object->l_name, "/lib") &&
	       !starts_with(object->l_name, "/usr") && object->l_name[0] == '/';
}

/*
 * ---- Points ----
 */

static uint32_t count_locked(uintptr_t site)
{
	uint32_t at = (uint32_t)(site * UINT64_C(0x9e3779b97f4a7c15) >> 40) % SITES;

	while (state.sites[at].address && state.sites[at].address != site)
		at = (at + 1) % SITES;
	state.sites[at].address = site;
	return ++state.sites[at].calls;
}

static void record_locked(const char *call, uintptr_t site, uint32_t nth, int error)
{
	if (record->count < FAULT_POINTS_MAX)
		record->points[record->count++] =
			(struct fault_point){call, site, nth, error < 0 ? -error : error};
}

static enum fault_answer answer_locked(
	const char *call, uintptr_t site, int error, unsigned int kinds)
{
	uint32_t nth;

	switch (state.mode) {
	case FAULT_NONE:
		return FAULT_PASS;
	case FAULT_SHORT:
		return kinds & FAULT_CAN_SHORTEN ? FAULT_CUT : FAULT_PASS;
	case FAULT_INTERRUPT:
		if (kinds & FAULT_CAN_INTERRUPT && ++state.interruptible % 2)
			return FAULT_EINTR;
		return FAULT_PASS;
	default:
		break;
	}
	if (!(kinds & FAULT_CAN_FAIL))
		return FAULT_PASS;
	nth = count_locked(site);
	if (state.mode == FAULT_RECORD) {
		record_locked(call, site, nth, error);
		return FAULT_PASS;
	}
	if (site == state.point.site && nth == state.point.nth) {
		state.failing = state.mode == FAULT_PERSISTENT;
		return FAULT_FAIL;
	}
	return state.failing && !(kinds & FAULT_RECOVERS) ? FAULT_FAIL : FAULT_PASS;
}

static void note_error_locked(int error)
{
	record->errors[error / 64 % 2] |= UINT64_C(1) << error % 64;
}

bool fault_gave(int error)
{
	return record->errors[error / 64 % 2] >> error % 64 & 1;
}

enum fault_answer fault_ask(const char *call, const void *caller, int error, unsigned int kinds)
{
	enum fault_answer answer;

	if (state.mode == FAULT_NONE || !is_counted(caller))
		return FAULT_PASS;
	lock();
	answer = answer_locked(call, (uintptr_t)caller, error, kinds);
	record->hits += answer != FAULT_PASS;
	if (answer == FAULT_FAIL)
		note_error_locked(error < 0 ? -error : error);
	unlock();
	return answer;
}

void fault_begin(enum fault_mode mode, const struct fault_point *point)
{
	if (!record) {
		record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (record == MAP_FAILED)
			abort();
	}
	lock();
	memset(state.sites, 0, sizeof(state.sites));
	record->hits = 0;
	memset(record->errors, 0, sizeof(record->errors));
	state.interruptible = 0;
	state.failing = false;
	if (point)
		state.point = *point;
	if (mode == FAULT_RECORD)
		record->count = 0;
	state.mode = mode;
	unlock();
}

void fault_end(void)
{
	lock();
	state.mode = FAULT_NONE;
	unlock();
}

const struct fault_point *fault_points(uint32_t *ret_count)
{
	*ret_count = record->count;
	return record->points;
}

uint32_t fault_hits(void)
{
	return record->hits;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void fault_describe(const struct fault_point *point, char *text, size_t bytes)
{
	/* The call is in front of its return address. */
	const void *address = (const void *)(point->site - 1);
	const struct link_map *object = object_of(address);
	char file[256] = "?";
	char command[512];
	char line[256] = "";
	FILE *pipe;

	if (!object) {
		snprintf(text, bytes, "%s", point->call);
		return;
	}
	snprintf(file, sizeof(file), "%s", object->l_name);
	if (!file[0]) {
		ssize_t n = readlink("/proc/self/exe", file, sizeof(file) - 1);

		file[n < 0 ? 0 : n] = '\0';
	}
	snprintf(command, sizeof(command), "addr2line -s -p -f -e '%s' %#lx 2>/dev/null", file,
		(unsigned long)((uintptr_t)address - object->l_addr));
	pipe = popen(command, "r");
	if (pipe) {
		if (!fgets(line, sizeof(line), pipe))
			line[0] = '\0';
		line[strcspn(line, "\n")] = '\0';
		pclose(pipe);
	}
	snprintf(text, bytes, "%s in %s %s, call %u of that place", point->call, base_name(file),
		line, point->nth);
}

/*
 * ---- What is left behind ----
 */

static struct block *find_locked(const void *memory)
{
	uint32_t at = (uint32_t)((uintptr_t)memory * UINT64_C(0x9e3779b97f4a7c15) >> 40) % BLOCKS;
	struct block *reusable = NULL;

	for (uint32_t i = 0; i < BLOCKS; i++, at = (at + 1) % BLOCKS) {
		struct block *block = &state.blocks[at];

		if (block->memory == memory)
			return block;
		if (block->memory == GONE && !reusable)
			reusable = block;
		if (!block->memory)
			return reusable ? reusable : block;
	}
	return reusable;
}

void fault_allocated(void *memory, const void *caller, const char *call)
{
	struct block *block;

	if (!memory || !state.generation || !is_counted(caller))
		return;
	lock();
	block = find_locked(memory);
	if (block)
		*block = (struct block){memory, (uintptr_t)caller, call, state.generation};
	unlock();
}

void fault_freed(void *memory)
{
	struct block *block;

	if (!memory || !state.generation)
		return;
	lock();
	block = find_locked(memory);
	if (block && block->memory == memory)
		block->memory = GONE;
	unlock();
}

/* The text that is behind it in /proc; "" if it is not open. */
static void name_of_fd(int fd, char *name, size_t bytes)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, bytes - 1);
	name[n < 0 ? 0 : n] = '\0';
}

void fault_mark(void)
{
	for (int fd = 0; fd < (int)FDS_MAX; fd++)
		state.is_open[fd] = fcntl(fd, F_GETFD) >= 0;
	lock();
	state.generation++;
	unlock();
}

static uint32_t blocks_left(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < BLOCKS; i++) {
		const struct block *block = &state.blocks[i];
		struct fault_point point = {block->call, block->site, 0, 0};
		char text[512];

		if (!block->memory || block->memory == GONE ||
			block->generation != state.generation)
			continue;
		if (count++ < 8) {
			fault_describe(&point, text, sizeof(text));
			fprintf(stderr, "  not freed: memory of %s\n", text);
		}
	}
	return count;
}

/* A plugin's file stays open until the process ends. */
static bool is_plugin(const char *name)
{
	size_t bytes = strlen(name);

	return bytes > 3 && !strcmp(name + bytes - 3, ".so");
}

uint32_t fault_left_behind(void)
{
	uint32_t count;
	char now[128];

	fault_exempt_enter();
	count = blocks_left();
	for (int fd = 0; fd < (int)FDS_MAX; fd++) {
		if (state.is_open[fd] || fcntl(fd, F_GETFD) < 0)
			continue;
		name_of_fd(fd, now, sizeof(now));
		if (!is_plugin(now)) {
			fprintf(stderr, "  not closed: fd %d, %s\n", fd, now);
			count++;
		}
	}
	fault_exempt_leave();
	return count;
}
