/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of nodes: making, finding, and from libconfig's tree. */
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "config/node.h"
#include "config/source.h"
#include "config/utf8.h"

struct node *node_create(struct arena *arena, enum node_kind kind, struct config_place place)
{
	struct node *node = arena_alloc(arena, 1, sizeof(*node));

	if (node) {
		node->kind = kind;
		node->place = place;
	}
	return node;
}

void node_append(struct node *parent, struct node *child)
{
	child->next = NULL;
	if (parent->last)
		parent->last->next = child;
	else
		parent->children = child;
	parent->last = child;
	parent->child_count++;
}

struct node *node_child(const struct node *parent, const char *name)
{
	for (struct node *child = parent->children; child; child = child->next)
		if (child->name && !strcmp(child->name, name))
			return child;
	return NULL;
}

struct node *node_word(struct arena *arena, const char *text, struct config_place place)
{
	struct node *node = node_create(arena, NODE_STRING, place);
	char *end = NULL;
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	long long number;

	if (!node)
		return NULL;
	node->bare = true;
	node->text = arena_strdup(arena, text);
	if (!node->text)
		return NULL;
	if (!strcasecmp(text, "true") || !strcasecmp(text, "false")) {
		node->kind = NODE_BOOL;
		node->number = text[0] == 't' || text[0] == 'T';
		return node;
	}
	errno = 0;
	number = strtoll(text, &end, is_hex ? 16 : 10);
	if (end != text && !*end && !errno && strchr("+-0123456789", text[0])) {
		node->kind = NODE_INT;
		node->number = number;
	}
	return node;
}

static int set_string(
	struct arena *arena, const char *text, struct node *node, struct vmm_error *error)
{
	char where[CONFIG_ERROR_BYTES / 2];
	size_t left = strlen(text);

	for (const char *at = text; left;) {
		size_t bytes = utf8_bytes(at, left);

		if (!bytes) {
			vmm_set_error(error, "%s: a string that is not UTF-8: byte 0x%02x",
				config_place_text(node->place, where, sizeof(where)),
				(unsigned char)*at);
			return VMM_E_INVAL;
		}
		at += bytes;
		left -= bytes;
	}
	node->text = arena_strdup(arena, text);
	return node->text ? 0 : VMM_E_NOMEM;
}

struct convert {
	struct arena *arena;
	const struct source *source;
	struct vmm_error *error;
};

/* Depth is bounded: the scanner lets NODE_DEPTH_MAX brackets through. */
static int convert(const struct convert *work, config_setting_t *from, struct node **ret_node)
{
	static const enum node_kind kinds[] = {
		[CONFIG_TYPE_GROUP] = NODE_GROUP,
		[CONFIG_TYPE_INT] = NODE_INT,
		[CONFIG_TYPE_INT64] = NODE_INT,
		[CONFIG_TYPE_FLOAT] = NODE_REAL,
		[CONFIG_TYPE_STRING] = NODE_STRING,
		[CONFIG_TYPE_BOOL] = NODE_BOOL,
		[CONFIG_TYPE_ARRAY] = NODE_LIST,
		[CONFIG_TYPE_LIST] = NODE_LIST,
	};
	const char *name = config_setting_name(from);
	int type = config_setting_type(from);
	struct config_place place =
		source_place(work->source, (unsigned)config_setting_source_line(from));
	struct node *node = node_create(work->arena, kinds[type], place);
	int ret = 0;

	if (!node)
		return VMM_E_NOMEM;
	if (name) {
		node->name = arena_strdup(work->arena, name);
		if (!node->name)
			return VMM_E_NOMEM;
	}
	if (type == CONFIG_TYPE_BOOL)
		node->number = config_setting_get_bool(from);
	else if (type == CONFIG_TYPE_INT)
		node->number = config_setting_get_int(from);
	else if (type == CONFIG_TYPE_INT64)
		node->number = config_setting_get_int64(from);
	else if (type == CONFIG_TYPE_STRING)
		ret = set_string(work->arena, config_setting_get_string(from), node, work->error);
	if (ret || !config_setting_is_aggregate(from)) {
		*ret_node = node;
		return ret;
	}
	for (unsigned i = 0; i < (unsigned)config_setting_length(from); i++) {
		struct node *child = NULL;

		ret = convert(work, config_setting_get_elem(from, i), &child);
		if (ret)
			return ret;
		node_append(node, child);
	}
	*ret_node = node;
	return 0;
}

/* libconfig's reasons in the words of the manual page. */
static const char *syntax_text(const char *text)
{
	if (!strcmp(text, "duplicate setting name"))
		return "a key that this group has already";
	if (!strcmp(text, "mismatched element type in array"))
		return "the values in [ ] must be of one type; ( ) takes any";
	if (!strcmp(text, "syntax error"))
		return "syntax error here or just before; expected KEY = VALUE;";
	return text;
}

static int parse(struct arena *arena, struct source *source, struct node **ret_root)
{
	struct convert work = {arena, source, source->error};
	char where[CONFIG_ERROR_BYTES / 2];
	config_t config;
	int ret;

	config_init(&config);
	if (config_read_string(&config, source->text ? source->text : "")) {
		ret = convert(&work, config_root_setting(&config), ret_root);
	} else {
		struct config_place place =
			source_place(source, (unsigned)config_error_line(&config));

		vmm_set_error(source->error, "%s: %s",
			config_place_text(place, where, sizeof(where)),
			syntax_text(config_error_text(&config)));
		ret = VMM_E_INVAL;
	}
	config_destroy(&config);
	return ret;
}

static int finish(struct arena *arena, struct source *source, int ret, struct node **ret_root)
{
	struct node *root = NULL;

	if (!ret)
		ret = parse(arena, source, &root);
	source_fini(source);
	if (ret == VMM_E_NOMEM)
		vmm_set_error(source->error, "no memory for the configuration");
	if (!ret)
		*ret_root = root;
	return ret;
}

int node_read_file(
	struct arena *arena, const char *path, struct node **ret_root, struct vmm_error *error)
{
	struct source source;
	int ret;

	source_init(&source, arena, error);
	ret = source_add_file(&source, path);
	return finish(arena, &source, ret, ret_root);
}

int node_read_text(struct arena *arena, const char *text, const char *file, struct node **ret_root,
	struct vmm_error *error)
{
	struct source source;
	int ret;

	source_init(&source, arena, error);
	ret = source_add_text(&source, text, file);
	return finish(arena, &source, ret, ret_root);
}

/* The smallest number that makes the type's name an id which no device has been given. */
static const char *numbered_id(struct arena *arena, const struct node *devices,
	const struct node *device, const char *type)
{
	unsigned before = 0;

	for (const struct node *other = devices->children; other && other != device;
		other = other->next) {
		const struct node *id = node_child(other, "id");
		const struct node *its_type = node_child(other, "type");

		if (!id && its_type && its_type->text && !strcmp(its_type->text, type))
			before++;
	}
	for (unsigned number = 0;; number++) {
		char candidate[2 * NODE_NAME_BYTES_MAX];
		bool taken = false;

		/* A type that long is none. */
		if (snprintf(candidate, sizeof(candidate), "%s%u", type, number) >=
			(int)sizeof(candidate))
			return NULL;
		for (const struct node *other = devices->children; other && !taken;
			other = other->next) {
			const struct node *id = node_child(other, "id");

			taken = id && id->text && !strcmp(id->text, candidate);
		}
		if (!taken && !before--)
			return arena_strdup(arena, candidate);
	}
}

const char *node_device_id(
	struct arena *arena, const struct node *devices, const struct node *device)
{
	const struct node *id = node_child(device, "id");
	const struct node *type = node_child(device, "type");

	if (id && id->text)
		return id->text;
	if (!type || !type->text)
		return NULL;
	return numbered_id(arena, devices, device, type->text);
}
