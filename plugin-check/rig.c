/* SPDX-License-Identifier: Apache-2.0 */
/* Makes devices of a type in a fake host: their options, and what they refer to. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

#define OPTIONS_MAX  300u
#define SCRATCH_SIZE (1u << 20)

void rig_open(struct rig *rig, const struct subject *subject, const char *type, uint32_t flags)
{
	const struct fake_config config = {.flags = flags};

	*rig = (struct rig){.subject = subject, .type_name = type};
	rig->host = fake_host_create(&config);
	fake_plugin_load(rig->host, subject->real_path);
	rig->type = fake_type(rig->host, type);
}

/* The text of a file's name for an option that wants one. Each instance has its own. */
static char *scratch_file(const struct subject *subject, unsigned instance)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/file%u", subject->directory, instance);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, SCRATCH_SIZE))
		skip("%s cannot be made", path);
	close(fd);
	return strdup(path);
}

/* A value for an option that must be given and was not. NULL: none comes to mind. */
static char *invent(
	const struct subject *subject, const struct vmm_option *option, unsigned instance)
{
	char text[64];

	switch (option->type) {
	case VMM_OPT_BOOL:
		return strdup("false");
	case VMM_OPT_PATH:
		return scratch_file(subject, instance);
	case VMM_OPT_ENUM:
		return strdup(option->enum_names[0]);
	case VMM_OPT_MAC:
		snprintf(text, sizeof(text), "52:54:00:12:34:%02x", instance);
		return strdup(text);
	case VMM_OPT_STRING:
		snprintf(text, sizeof(text), "check%u", instance);
		return strdup(text);
	case VMM_OPT_FD:
		snprintf(text, sizeof(text), "%d", memfd_create("option", MFD_CLOEXEC));
		return strdup(text);
	case VMM_OPT_INT:
	case VMM_OPT_UINT:
	case VMM_OPT_SIZE:
	case VMM_OPT_DURATION:
		snprintf(text, sizeof(text), "%lld",
			option->min || option->max ? (long long)option->min : 1);
		return strdup(text);
	default:
		return NULL;
	}
}

/* "NAME=VALUE" of settings that are for this type, or for any; NULL behind the last. */
static const char *setting_for(const char *setting, const struct vmm_device_type *type)
{
	size_t bytes = strlen(type->name);
	const char *dot = strpbrk(setting, ".=");

	if (!strncmp(setting, type->name, bytes) && setting[bytes] == '.')
		return setting + bytes + 1;
	return dot && *dot == '.' ? NULL : setting;
}

static bool has_option(const struct vmm_device_type *type, const char *setting)
{
	size_t bytes = strcspn(setting, "=");

	for (uint64_t i = 0; i < type->option_count; i++)
		if (strlen(type->options[i]->name) == bytes &&
			!strncmp(type->options[i]->name, setting, bytes))
			return true;
	return !strncmp(setting, "iothread=", 9);
}

static unsigned add_settings(const struct vmm_device_type *type, const char *const *settings,
	const char **options, unsigned count)
{
	for (; *settings; settings++) {
		const char *setting = setting_for(*settings, type);

		if (setting && has_option(type, setting) && count < OPTIONS_MAX)
			options[count++] = setting;
	}
	return count;
}

static bool is_given(const char *const *options, unsigned count, const char *name)
{
	size_t bytes = strlen(name);

	for (unsigned i = 0; i < count; i++)
		if (!strncmp(options[i], name, bytes) && options[i][bytes] == '=')
			return true;
	return false;
}

static bool provides(const struct vmm_device_type *type, const char *interface)
{
	for (uint64_t i = 0; i < type->provides_count; i++)
		if (!strcmp(type->provides[i], interface))
			return true;
	return false;
}

/* The number of the other device that offers the interface, or -1. */
static int find_other(const struct rig *rig, const char *interface)
{
	for (unsigned i = 0; i < rig->other_count; i++)
		if (provides(rig->others[i], interface))
			return (int)i;
	return -1;
}

/* The value of an option that has to be given and was not; NULL: none has to be. */
static char *fill_in(
	const struct rig *rig, const struct vmm_option *option, const char *type, unsigned instance)
{
	char *text = NULL;

	if (option->type == VMM_OPT_REF) {
		int other = find_other(rig, option->interface_id);

		/* Named, as there may be several: a device may offer what it refers to. */
		if (other >= 0 && asprintf(&text, "other%d", other) < 0)
			abort();
		return text;
	}
	if (!(option->flags & VMM_OPT_REQUIRED) || option->default_text)
		return NULL;
	text = invent(rig->subject, option, instance);
	if (!text)
		skip("the option \"%s\" is needed; give one with -s %s.%s=VALUE", option->name,
			type, option->name);
	return text;
}

/* Adds a device with the options that it has to have. The texts live as long as the check. */
static int32_t add_device(struct rig *rig, const struct vmm_device_type *type, const char *id,
	unsigned instance, const char *more)
{
	const char **options = calloc(2 * OPTIONS_MAX + 2, sizeof(*options));
	unsigned count = 0;
	int32_t ret;

	if (!options)
		abort();
	if (more)
		options[count++] = more;
	if (instance == 2)
		count = add_settings(type, rig->subject->second, options, count);
	count = add_settings(type, rig->subject->settings, options, count);
	for (uint64_t i = 0; i < type->option_count; i++) {
		const struct vmm_option *option = type->options[i];
		char *text = NULL, *setting = NULL;

		if (!is_given(options, count, option->name))
			text = fill_in(rig, option, type->name, instance);
		if (!text)
			continue;
		if (asprintf(&setting, "%s=%s", option->name, text) < 0)
			abort();
		free(text);
		options[count++] = setting;
	}
	ret = fake_device_add(rig->host, type->name, id, options, NULL);
	free(options);
	return ret;
}

/* A type that offers the interface: of the plugin itself, or of one next to it. */
static const struct vmm_device_type *find_provider(struct rig *rig, const char *interface)
{
	const struct provider *provider;

	for (size_t i = 0; i < rig->subject->type_count; i++) {
		const struct vmm_device_type *type = fake_type(rig->host, rig->subject->types[i]);

		if (type && type != rig->type && provides(type, interface))
			return type;
	}
	for (provider = rig->subject->providers; provider; provider = provider->next) {
		/* Not itself: what sits between two others offers what it refers to. */
		if (strcmp(provider->interface, interface) != 0 ||
			!strcmp(provider->type, rig->type_name))
			continue;
		if (!fake_type(rig->host, provider->type))
			fake_plugin_load(rig->host, provider->file);
		return fake_type(rig->host, provider->type);
	}
	return NULL;
}

static void add_others(struct rig *rig, const struct vmm_device_type *type, unsigned depth)
{
	for (uint64_t i = 0; i < type->option_count; i++) {
		const struct vmm_option *option = type->options[i];
		const struct vmm_device_type *provider;
		char id[32];

		if (option->type != VMM_OPT_REF || find_other(rig, option->interface_id) >= 0)
			continue;
		provider = find_provider(rig, option->interface_id);
		if (!provider && !(option->flags & VMM_OPT_REQUIRED))
			continue;
		if (!provider || rig->other_count == RIG_OTHERS_MAX || depth == RIG_OTHERS_MAX) {
			finding("say with --plugins in which directory one is",
				"\"%s\" needs a device that offers %s, and no plugin does",
				type->name, option->interface_id);
			done();
		}
		add_others(rig, provider, depth + 1);
		snprintf(id, sizeof(id), "other%u", rig->other_count);
		if (add_device(rig, provider, id, 1, NULL) < 0) {
			finding("options of other devices can be set with -s TYPE.NAME=VALUE",
				"a device of type \"%s\", which it needs, cannot be made: %s",
				provider->name, fake_error(rig->host));
			done();
		}
		rig->others[rig->other_count++] = provider;
	}
}

void rig_add_others(struct rig *rig)
{
	if (!rig->has_others)
		add_others(rig, rig->type, 0);
	rig->has_others = true;
}

int32_t rig_add(struct rig *rig, unsigned instance, const char *more)
{
	rig_add_others(rig);
	return add_device(rig, rig->type, instance == 1 ? RIG_DEVICE : RIG_SECOND, instance, more);
}

void rig_start(struct rig *rig)
{
	int32_t ret = rig_add(rig, 1, NULL);

	if (ret >= 0)
		ret = fake_host_start(rig->host);
	if (ret >= 0)
		return;
	finding("if it needs other options, give them with -s NAME=VALUE",
		"no device of this type can be started: %s (%d)", fake_error(rig->host), ret);
	done();
}

void rig_close(struct rig *rig)
{
	fake_host_destroy(rig->host);
	rig->host = NULL;
}

int rig_refers_to(const struct rig *rig, const char *interface)
{
	for (uint64_t i = 0; i < rig->type->option_count; i++)
		if (rig->type->options[i]->type == VMM_OPT_REF &&
			!strcmp(rig->type->options[i]->interface_id, interface))
			return 1;
	return 0;
}

void rig_check_text(const struct rig *rig, const char *what, int32_t code)
{
	static const char *const injected = "injected fault in ";

	/* That there is no memory says it all. */
	if (code == VMM_E_NOMEM ||
		(fake_error(rig->host)[0] &&
			strncmp(fake_error(rig->host), injected, strlen(injected))))
		return;
	finding("call vmm_set_error() where a phase fails: what, why, and what to do",
		"%s gives error %d without a text", what, code);
}
