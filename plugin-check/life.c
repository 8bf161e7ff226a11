/* SPDX-License-Identifier: Apache-2.0 */
/* The life of devices: each phase and its end, two of a kind, interfaces, values of options. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/note.h"
#include "rig.h"
#include "usage.h"

#define ROUNDS 3u

/* A device that got up to each phase goes away from there. */
static void check_phases(struct subject *subject, const char *type)
{
	static const struct {
		const char *name;
		int32_t (*step)(struct fake_host *host);
	} phases[] = {
		{"create", NULL},
		{"bind", fake_host_bind},
		{"realize", fake_host_realize},
		{"start", fake_host_start},
	};
	struct rig rig;

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		int32_t ret;

		doing("%s and its end", phases[i].name);
		rig_open(&rig, subject, type, 0);
		ret = rig_add(&rig, 1, NULL);
		if (ret >= 0 && phases[i].step)
			ret = phases[i].step(rig.host);
		if (ret < 0) {
			finding("if it needs other options, give them with -s NAME=VALUE",
				"fails: %s (%d)", fake_error(rig.host), ret);
			rig_check_text(&rig, phases[i].name, ret);
			done();
		}
		fake_settle(rig.host);
		rig_close(&rig);
	}
}

static void check_second(struct rig *rig, int32_t ret)
{
	if (ret >= 0)
		return;
	rig_check_text(rig, "the second instance", ret);
	note("no second one: %s; give it other options with -2 NAME=VALUE", fake_error(rig->host));
}

static void check_two(struct subject *subject, const char *type)
{
	struct rig rig;
	int32_t ret;

	doing("two devices from the start");
	rig_open(&rig, subject, type, 0);
	ret = rig_add(&rig, 1, NULL);
	if (ret >= 0)
		ret = rig_add(&rig, 2, NULL);
	if (ret >= 0)
		ret = fake_host_start(rig.host);
	check_second(&rig, ret);
	fake_settle(rig.host);
	rig_close(&rig);

	doing("a second device that comes late");
	rig_open(&rig, subject, type, 0);
	rig_start(&rig);
	ret = rig_add(&rig, 2, NULL);
	if (ret >= 0)
		ret = fake_host_start(rig.host);
	if (ret < 0)
		rig_check_text(&rig, "the second instance", ret);
	fake_settle(rig.host);
	rig_close(&rig);
}

static void check_interface(struct rig *rig, const char *id)
{
	const void *table = NULL, *again = NULL;
	void *object = NULL;
	uint64_t bytes = 0;
	int32_t ret = fake_interface(rig->host, RIG_DEVICE, id, &table, &object);

	if (ret < 0 || !table) {
		finding("get_interface() has to know every id that the type `provides`",
			"get_interface(\"%s\") gives %d and %s table", id, ret, table ? "a" : "no");
		return;
	}
	memcpy(&bytes, table, sizeof(bytes));
	if (bytes < 16 || bytes % 8 || bytes > 65536)
		finding("the first member of a table is its size: .size = sizeof(table)",
			"the table of \"%s\" says that it has %" PRIu64 " bytes", id, bytes);
	if (fake_interface(rig->host, RIG_DEVICE, id, &again, &object) < 0 || again != table)
		finding("a table is static and constant",
			"\"%s\" is another table when asked again", id);
}

static void check_interfaces(struct subject *subject, const char *type)
{
	const void *table = NULL;
	void *object = NULL;
	struct rig rig;

	rig_open(&rig, subject, type, 0);
	if (!rig.type->provides_count)
		skip("it offers none");
	if (rig_add(&rig, 1, NULL) < 0) {
		finding(NULL, "no device of this type can be made: %s", fake_error(rig.host));
		done();
	}
	/* Others may ask from their bind on, and the order among devices is the core's. */
	for (uint64_t i = 0; i < rig.type->provides_count; i++)
		check_interface(&rig, rig.type->provides[i]);
	if (rig.type->ops->get_interface(fake_device_ctx(fake_device(rig.host, RIG_DEVICE)),
		    "no.such.thing/1", &table, &object) != VMM_E_UNSUPPORTED)
		finding("compare the id with each that you have, and return VMM_E_UNSUPPORTED else",
			"get_interface() of an unknown id does not give VMM_E_UNSUPPORTED");
	rig_close(&rig);
}

/* One start with one option set: it works, or says why not. */
static void try_option(struct subject *subject, const char *type, const char *setting)
{
	struct rig rig;
	int32_t ret;

	doing("option %s", setting);
	rig_open(&rig, subject, type, 0);
	ret = rig_add(&rig, 1, setting);
	if (ret >= 0)
		ret = fake_host_start(rig.host);
	if (ret < 0)
		rig_check_text(&rig, "a start", ret);
	fake_settle(rig.host);
	rig_close(&rig);
}

static void try_number(
	struct subject *subject, const char *type, const struct vmm_option *option, int64_t number)
{
	char setting[256];

	snprintf(setting, sizeof(setting), "%s=%" PRId64 "%s", option->name, number,
		option->type == VMM_OPT_DURATION ? "ns" : "");
	try_option(subject, type, setting);
}

static void try_values(struct subject *subject, const char *type, const struct vmm_option *option)
{
	char setting[256];

	switch (option->type) {
	case VMM_OPT_BOOL:
		snprintf(setting, sizeof(setting), "%s=true", option->name);
		try_option(subject, type, setting);
		snprintf(setting, sizeof(setting), "%s=false", option->name);
		try_option(subject, type, setting);
		break;
	case VMM_OPT_ENUM:
		for (uint64_t i = 0; i < option->enum_count; i++) {
			snprintf(setting, sizeof(setting), "%s=%s", option->name,
				option->enum_names[i]);
			try_option(subject, type, setting);
		}
		break;
	case VMM_OPT_INT:
	case VMM_OPT_UINT:
	case VMM_OPT_SIZE:
	case VMM_OPT_DURATION:
		try_number(subject, type, option, option->min);
		try_number(subject, type, option,
			option->min || option->max ? option->max : INT64_MAX);
		break;
	case VMM_OPT_PATH:
		snprintf(setting, sizeof(setting), "%s=/nonexistent/file", option->name);
		try_option(subject, type, setting);
		snprintf(setting, sizeof(setting), "%s=/", option->name);
		try_option(subject, type, setting);
		break;
	default:
		break;
	}
}

static void check_options(struct subject *subject, const char *type)
{
	struct rig rig;

	rig_open(&rig, subject, type, 0);
	if (!rig.type->option_count)
		skip("it has none");
	for (uint64_t i = 0; i < rig.type->option_count; i++)
		try_values(subject, type, rig.type->options[i]);
}

/* What the note says is the oldest minor of a host that will do. */
static uint32_t min_host_minor(const struct subject *subject)
{
	struct vmm_plugin_note note;
	int fd = open(subject->real_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || plugin_note_read(fd, &note, NULL))
		skip("its note cannot be read");
	close(fd);
	return note.min_host_minor;
}

static void check_oldest(struct subject *subject, const char *type)
{
	uint32_t minor = min_host_minor(subject);
	struct rig rig;
	int32_t ret;

	if (minor == VMM_ABI_MINOR)
		skip("it wants a host of ABI %u.%u", VMM_ABI_MAJOR, minor);
	doing("a start in a host of ABI %u.%u", VMM_ABI_MAJOR, minor);
	rig_open(&rig, subject, type, 0);
	rig_add_others(&rig);
	fake_host_minor(rig.host, minor);
	ret = rig_add(&rig, 1, NULL);
	if (ret >= 0)
		ret = fake_host_start(rig.host);
	if (ret < 0) {
		finding("ask vmm_query() for no more than that host has, and test what it may lack "
			"for NULL; or raise min_host_minor",
			"fails: %s (%d)", fake_error(rig.host), ret);
		done();
	}
	fake_settle(rig.host);
	rig_close(&rig);
}

static void live_once(struct subject *subject, const char *type)
{
	struct rig rig;

	rig_open(&rig, subject, type, 0);
	rig_start(&rig);
	fake_settle(rig.host);
	rig_close(&rig);
}

static void check_leaks(struct subject *subject, const char *type)
{
	struct usage before, after;

	usage_watch(subject->real_path);
	live_once(subject, type);
	usage_read(&before);
	for (unsigned i = 0; i < ROUNDS; i++)
		live_once(subject, type);
	usage_read(&after);
	if (after.fds >= before.fds + ROUNDS)
		finding("close in destroy() what create() opened",
			"%u files are left open by each device", (after.fds - before.fds) / ROUNDS);
	if (after.threads >= before.threads + ROUNDS)
		finding("join in unrealize() or destroy() every thread that was started",
			"%u threads are left by each device",
			(after.threads - before.threads) / ROUNDS);
	if (after.blocks >= before.blocks + ROUNDS)
		finding("free in destroy() what create() allocated; valgrind or -fsanitize=address "
			"say "
			"where that was",
			"%" PRIu64 " blocks of memory are left by each device",
			(after.blocks - before.blocks) / ROUNDS);
}

static void check_state(struct subject *subject, const char *type)
{
	(void)subject;
	(void)type;
	skip("ABI %u.%u has no saved state", VMM_ABI_MAJOR, VMM_ABI_MINOR);
}

const struct check life_checks[] = {
	{"phases", "a device goes away cleanly from wherever it got", check_phases},
	{"two", "two devices do not know of each other", check_two},
	{"interfaces", "what it offers is there from create on", check_interfaces},
	{"options", "each value of an option works, or an error says why not", check_options},
	{"oldest", "it starts in the oldest host that its note says will do", check_oldest},
	{"leaks", "a device leaves no file, thread or memory behind", check_leaks},
	{"state", "a saved device is the same when it is restored", check_state},
	{0},
};
