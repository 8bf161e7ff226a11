/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overrides from the command line: "machine.memory=1G", "devices.disk0.path=x.img",
 * "devices.nic1={ type = \"virtio-net\" }", "boot.modules[0].cmdline=a b".
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "config/nearest.h"
#include "config/node.h"

struct override {
	struct arena *arena;
	struct vmm_error *error;
	struct config_place place; /* "-s path=value" */
};

static int fail(const struct override *work, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(const struct override *work, const char *format, ...)
{
	char text[CONFIG_ERROR_BYTES / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vmm_set_error(work->error, "%.500s: %s", work->place.file, text);
	return VMM_E_INVAL;
}

static int no_memory(const struct override *work)
{
	fail(work, "no memory");
	return VMM_E_NOMEM;
}

/* The value: syntax of the file if it starts like that, else one word or text without quotes. */
static int parse_value(
	const struct override *work, const char *value, const char *name, struct node **ret_node)
{
	struct node *root = NULL;
	struct node *node;
	char *text;
	int ret;

	if (!value[0] || !strchr("\"([{", value[0])) {
		node = node_word(work->arena, value, work->place);
		if (!node)
			return no_memory(work);
	} else {
		text = arena_printf(work->arena, "value = %s", value);
		if (!text)
			return no_memory(work);
		ret = node_read_text(work->arena, text, work->place.file, &root, work->error);
		if (ret)
			return ret;
		if (root->child_count != 1)
			return fail(work, "expected one value");
		node = root->children;
	}
	node->name = name;
	*ret_node = node;
	return 0;
}

/* The element of a list that a path names: a device by its id, anything by [number]. */
static int find_device(
	const struct override *work, struct node *list, const char *name, struct node **ret_child)
{
	struct nearest nearest = {.wanted = name};
	char hint[128];

	for (struct node *child = list->children; child; child = child->next) {
		const char *id =
			child->kind == NODE_GROUP ? node_device_id(work->arena, list, child) : NULL;

		if (!id)
			continue;
		if (!strcmp(id, name)) {
			*ret_child = child;
			return 0;
		}
		nearest_offer(&nearest, id);
	}
	fail(work, "there is no device \"%s\"%s", name, nearest_text(&nearest, hint, sizeof(hint)));
	return VMM_E_NOT_FOUND;
}

static int find_index(
	const struct override *work, struct node *list, const char *digits, struct node **ret_child)
{
	char *end;
	unsigned long index = strtoul(digits, &end, 10);
	struct node *child = list->kind == NODE_LIST ? list->children : NULL;

	if (!isdigit((unsigned char)digits[0]) || strcmp(end, "]") != 0)
		return fail(work, "expected a number in [ ]");
	for (unsigned long i = 0; child && i < index; i++)
		child = child->next;
	if (!child)
		return fail(work, "there is no element [%lu]: \"%s\" has %zu", index,
			list->name ? list->name : "",
			list->kind == NODE_LIST ? list->child_count : 0);
	*ret_child = child;
	return 0;
}

static void replace(struct node *parent, struct node *old, struct node *new)
{
	struct node **link = &parent->children;

	while (*link != old)
		link = &(*link)->next;
	new->next = old->next;
	*link = new;
	if (parent->last == old)
		parent->last = new;
}

/* Puts the value where `old` is, or behind the last child. A new device gets its name as id. */
static int put(const struct override *work, struct node *parent, struct node *old,
	const char *value, const char *name)
{
	struct node *node = NULL;
	int ret = parse_value(work, value, name, &node);

	if (ret)
		return ret;
	if (parent->kind == NODE_LIST) {
		node->name = NULL;
		if (name && node->kind != NODE_GROUP)
			return fail(work, "a device is a group: { type = \"...\"; }");
		if (name && !node_child(node, "id")) {
			struct node *id = node_create(work->arena, NODE_STRING, work->place);

			if (!id)
				return no_memory(work);
			id->name = "id";
			id->text = name;
			node_append(node, id);
		}
	}
	if (old)
		replace(parent, old, node);
	else
		node_append(parent, node);
	return 0;
}

/* Copies the next part of a path, "name" or "[0]", and moves *path behind it. */
static char *next_part(struct arena *arena, const char **path)
{
	const char *start = *path;
	size_t bytes = strcspn(start, start[0] == '[' ? "]" : ".[");

	if (start[0] == '[' && start[bytes])
		bytes++;
	*path = start + bytes;
	if ((*path)[0] == '.' && (*path)[1])
		(*path)++;
	return arena_strndup(arena, start, bytes);
}

static bool is_key(const char *text)
{
	if (!*text || strlen(text) > NODE_NAME_BYTES_MAX)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_' && *text != '-')
			return false;
	return true;
}

/* One step down the path. Groups that are not there are made. */
static int step(const struct override *work, struct node *parent, const char *part, bool is_last,
	struct node **ret_child)
{
	struct node *child = NULL;
	bool is_devices =
		parent->kind == NODE_LIST && parent->name && !strcmp(parent->name, "devices");

	if (part[0] == '[')
		return find_index(work, parent, part + 1, ret_child);
	if (!is_key(part))
		return fail(work, "\"%.60s\" is not a key", part);
	if (is_devices) {
		int ret = find_device(work, parent, part, &child);

		if (ret && !(is_last && ret == VMM_E_NOT_FOUND))
			return ret;
		*ret_child = child;
		return 0;
	}
	if (parent->kind != NODE_GROUP)
		return fail(work, "\"%s\" is below a value that is not a group", part);
	child = node_child(parent, part);
	if (!child && !is_last) {
		bool list = !strcmp(part, "devices") && !parent->name;

		child = node_create(work->arena, list ? NODE_LIST : NODE_GROUP, work->place);
		if (!child)
			return no_memory(work);
		child->name = part;
		node_append(parent, child);
	}
	*ret_child = child;
	return 0;
}

int node_override(
	struct arena *arena, struct node *root, const char *assignment, struct vmm_error *error)
{
	struct override work = {.arena = arena, .error = error};
	const char *equals = strchr(assignment, '=');
	struct node *parent = root;
	struct node *child = NULL;
	const char *path;
	const char *part;

	/* Without the value, which may be a secret. */
	work.place.file = arena_printf(arena, "-s %.*s",
		(int)(equals ? (size_t)(equals - assignment) : strlen(assignment)), assignment);
	if (!work.place.file)
		return VMM_E_NOMEM;
	if (!equals || equals == assignment)
		return fail(&work, "expected PATH=VALUE, such as machine.memory=1G");
	path = arena_strndup(arena, assignment, (size_t)(equals - assignment));
	if (!path)
		return no_memory(&work);
	for (;;) {
		int ret;

		part = next_part(arena, &path);
		if (!part)
			return no_memory(&work);
		ret = step(&work, parent, part, !*path, &child);
		if (ret)
			return ret;
		if (!*path)
			break;
		parent = child;
	}
	return put(&work, parent, child, equals + 1, part[0] == '[' ? NULL : part);
}
