/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading: which file is taken, who may write it, and what is loaded at all. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "plugin/private.h"

#define DIGEST_BYTES 65u /* in hexadecimal, with its end */

static const char *found_file;
static uintptr_t wanted;

static void find_code(const char *file, uintptr_t start, uintptr_t end)
{
	if (wanted >= start && wanted < end)
		found_file = file;
}

/* The plugin whose code or data is at an address. */
static const char *plugin_at(const struct plugin_registry *registry, const void *address)
{
	found_file = NULL;
	wanted = (uintptr_t)address;
	plugin_each_code(registry, find_code);
	return found_file;
}

static char error_text[PLUGIN_ERROR_BYTES];
static struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};

static struct plugin_registry *open_registry(const char *first, const char *second)
{
	const char *const search[] = {first, second};
	struct plugin_registry *registry = NULL;

	assert_int_equal(
		plugin_registry_create(search, second ? 2 : 1, NULL, &registry, &error), 0);
	return registry;
}

static void copy_file(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp -f %s %s && chmod 0755 %s", from, to, to);
	assert_int_equal(system(command), 0);
}

static void a_type_is_found_and_its_tables_are_private_copies(void **state)
{
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);
	const struct vmm_device_type *type = NULL, *again = NULL;
	const struct plugin *plugin = NULL;

	(void)state;
	assert_int_equal(plugin_find_type(registry, "test-all", NULL, &type, &plugin, &error), 0);
	assert_string_equal(type->name, "test-all");
	assert_string_equal(plugin->id, "org.example.test");
	assert_string_equal(plugin->version, "1.2.3");
	assert_int_equal(plugin->type_count, 6);
	assert_int_equal(plugin_find_type(registry, "test-all", NULL, &again, NULL, &error), 0);
	assert_ptr_equal(type, again);
	assert_null(plugin_at(registry, type));
	/* The callbacks are the plugin's own code. */
	assert_string_equal(plugin_at(registry, (const void *)(uintptr_t)type->ops->create),
		FIXTURES "/test.so");
	assert_null(plugin_at(registry, &error));
	plugin_registry_destroy(registry);
}

static void only_what_is_asked_for_is_loaded(void **state)
{
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);
	const struct vmm_device_type *type = NULL;
	size_t loaded = 0;

	(void)state;
	assert_int_equal(plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), 0);
	for (struct plugin_entry *entry = registry->entries; entry; entry = entry->next)
		loaded += entry->is_loaded;
	assert_int_equal(loaded, 1);
	assert_true(registry->entry_count > 20);
	plugin_registry_destroy(registry);
}

static void a_file_in_an_earlier_directory_wins(void **state)
{
	char directory[] = "/tmp/vmm-plugins-XXXXXX";
	const struct vmm_device_type *type = NULL;
	const struct plugin *plugin = NULL;
	struct plugin_registry *registry;
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/test.so", directory);
	copy_file(FIXTURES "/test.so", path);
	registry = open_registry(directory, FIXTURES);
	assert_int_equal(plugin_find_type(registry, "test-bus", NULL, &type, &plugin, &error), 0);
	assert_string_equal(plugin->file, path);
	plugin_registry_destroy(registry);
	unlink(path);
	rmdir(directory);
}

static void a_plugin_named_by_its_path_need_not_be_in_a_search_directory(void **state)
{
	struct plugin_registry *registry = open_registry("/nowhere", NULL);
	const struct vmm_device_type *type = NULL;

	(void)state;
	assert_int_equal(
		plugin_find_type(registry, "test-bus", FIXTURES "/test.so", &type, NULL, &error),
		0);
	/* Only for who names it. */
	assert_int_equal(
		plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), VMM_E_NOT_FOUND);
	plugin_registry_destroy(registry);
}

static void a_failed_load_fails_the_same_way_again(void **state)
{
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);
	const struct vmm_device_type *type = NULL;
	char first[sizeof(error_text)];

	(void)state;
	assert_int_equal(
		plugin_find_type(registry, "no-create", NULL, &type, NULL, &error), VMM_E_INVAL);
	memcpy(first, error_text, sizeof(first));
	assert_int_equal(
		plugin_find_type(registry, "no-create", NULL, &type, NULL, &error), VMM_E_INVAL);
	assert_string_equal(first, error_text);
	assert_null(type);
	plugin_registry_destroy(registry);
}

static void two_registries_can_load_the_same_plugin(void **state)
{
	struct plugin_registry *one = open_registry(FIXTURES, NULL);
	struct plugin_registry *two = open_registry(FIXTURES, NULL);
	const struct vmm_device_type *type = NULL, *other = NULL;

	(void)state;
	assert_int_equal(plugin_find_type(one, "test-bus", NULL, &type, NULL, &error), 0);
	assert_int_equal(plugin_find_type(two, "test-bus", NULL, &other, NULL, &error), 0);
	plugin_registry_destroy(one);
	assert_string_equal(other->name, "test-bus");
	assert_non_null(plugin_at(two, (const void *)(uintptr_t)other->ops->create));
	plugin_registry_destroy(two);
}

static void assert_creates_by_itself(struct plugin_registry *registry, const char *name)
{
	const struct vmm_device_type *type = NULL;
	char file[sizeof(FIXTURES) + 32];

	snprintf(file, sizeof(file), FIXTURES "/%s.so", name);
	assert_int_equal(plugin_find_type(registry, name, NULL, &type, NULL, &error), 0);
	assert_string_equal(plugin_at(registry, (const void *)(uintptr_t)type->ops->create), file);
}

static void h31_symbols_of_one_name_in_two_plugins_are_two(void **state)
{
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);

	(void)state;
	assert_creates_by_itself(registry, "clash-a");
	assert_creates_by_itself(registry, "clash-b");
	plugin_registry_destroy(registry);
}

/* A directory with one file, to be judged by rules that the test chooses. */
struct place {
	char directory[32];
	char path[64];
};

static void make_place(struct place *place, mode_t mode)
{
	snprintf(place->directory, sizeof(place->directory), "/tmp/vmm-trust-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	assert_int_equal(chmod(place->directory, 0755), 0);
	snprintf(place->path, sizeof(place->path), "%s/x.so", place->directory);
	close(open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(chmod(place->path, mode), 0);
}

static void remove_place(const struct place *place)
{
	unlink(place->path);
	rmdir(place->directory);
}

static int judge_path(const struct plugin_trust *rules, const char *path)
{
	struct plugin_trust trust = *rules;
	int fd = -1;
	int ret = plugin_trust_open(&trust, path, &fd, &error);

	if (!ret)
		close(fd);
	plugin_trust_fini(&trust);
	return ret;
}

static int judge(const struct plugin_trust *rules, const struct place *place)
{
	return judge_path(rules, place->path);
}

static void x8_nobody_else_may_be_able_to_write_a_plugin(void **state)
{
	struct plugin_trust trust = {.user = geteuid(), .owner = geteuid(), .group = getegid()};
	struct place place;

	(void)state;
	make_place(&place, 0755);
	assert_int_equal(judge(&trust, &place), 0);
	assert_int_equal(chmod(place.path, 0775), 0);
	assert_int_equal(judge(&trust, &place), VMM_E_PERM);
	assert_non_null(strstr(error_text, "its group"));
	/* Who may write vmm itself may as well write its plugins. */
	trust.group_may_write = true;
	assert_int_equal(judge(&trust, &place), 0);
	trust.group++;
	assert_int_equal(judge(&trust, &place), VMM_E_PERM);
	trust.group--;
	assert_int_equal(chmod(place.path, 0757), 0);
	assert_int_equal(judge(&trust, &place), VMM_E_PERM);
	assert_non_null(strstr(error_text, "everybody"));
	remove_place(&place);
}

/* What it offers is not known: it may be the one that is missed. */
static void a_plugin_that_was_not_read_is_named_when_a_type_is_missed(void **state)
{
	const struct vmm_device_type *type = NULL;
	struct plugin_registry *registry;
	struct place place;

	(void)state;
	make_place(&place, 0644);
	unlink(place.path);
	assert_int_equal(symlink("x.so", place.path), 0);
	registry = open_registry(place.directory, NULL);
	assert_int_equal(
		plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), VMM_E_NOT_FOUND);
	assert_non_null(strstr(error_text, place.path));
	assert_non_null(strstr(error_text, strerror(ELOOP)));
	plugin_registry_destroy(registry);
	remove_place(&place);
}

static void x8_the_directory_is_judged_like_the_file(void **state)
{
	const struct plugin_trust trust = {
		.user = geteuid(), .owner = geteuid(), .group = (gid_t)-1};
	struct place place;

	(void)state;
	make_place(&place, 0644);
	assert_int_equal(chmod(place.directory, 01777), 0);
	assert_int_equal(judge(&trust, &place), VMM_E_PERM);
	assert_int_equal(strncmp(error_text, "is in a directory that", 22), 0);
	remove_place(&place);
}

/* Whoever can rename a directory on the way can put another file in place. */
static void x8_every_directory_on_the_way_is_judged(void **state)
{
	const struct plugin_trust trust = {
		.user = geteuid(), .owner = geteuid(), .group = (gid_t)-1};
	char below[48], file[64];
	struct place place;

	(void)state;
	make_place(&place, 0644);
	snprintf(below, sizeof(below), "%s/below", place.directory);
	snprintf(file, sizeof(file), "%s/y.so", below);
	assert_int_equal(mkdir(below, 0755), 0);
	copy_file("/dev/null", file);
	assert_int_equal(judge_path(&trust, file), 0);
	assert_int_equal(chmod(place.directory, 0777), 0);
	assert_int_equal(judge_path(&trust, file), VMM_E_PERM);
	assert_non_null(strstr(error_text, "is below the directory /tmp/vmm-trust-"));
	/* With the sticky bit strangers cannot rename what is not theirs. */
	assert_int_equal(chmod(place.directory, 01777), 0);
	assert_int_equal(judge_path(&trust, file), 0);
	unlink(file);
	rmdir(below);
	remove_place(&place);
}

static void x8_the_target_of_a_link_is_judged(void **state)
{
	const struct plugin_trust trust = {
		.user = geteuid(), .owner = geteuid(), .group = (gid_t)-1};
	struct place place, other;
	char link[64];

	(void)state;
	make_place(&place, 0644);
	make_place(&other, 0644);
	snprintf(link, sizeof(link), "%s/link.so", place.directory);
	assert_int_equal(symlink(other.path, link), 0);
	assert_int_equal(judge_path(&trust, link), 0);
	assert_int_equal(chmod(other.directory, 0777), 0);
	assert_int_equal(judge_path(&trust, link), VMM_E_PERM);
	unlink(link);
	remove_place(&place);
	remove_place(&other);
}

static void find_digest(const char *path, char digest[DIGEST_BYTES])
{
	char command[512];
	FILE *output;

	snprintf(command, sizeof(command), "sha256sum %s", path);
	output = popen(command, "r");
	assert_non_null(output);
	assert_non_null(fgets(digest, DIGEST_BYTES, output));
	pclose(output);
}

static void x9_a_pinned_plugin_must_have_its_digest(void **state)
{
	char digest[DIGEST_BYTES];
	struct config_pin pin = {"test", digest};
	const struct vmm_device_type *type = NULL;
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);

	(void)state;
	find_digest(FIXTURES "/test.so", digest);
	plugin_registry_pin(registry, &pin, 1, true);
	assert_int_equal(plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), 0);
	assert_string_equal(plugin_at(registry, (const void *)(uintptr_t)type->ops->create),
		FIXTURES "/test.so");
	plugin_registry_destroy(registry);

	digest[0] = digest[0] == '0' ? '1' : '0';
	registry = open_registry(FIXTURES, NULL);
	plugin_registry_pin(registry, &pin, 1, false);
	assert_int_equal(
		plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), VMM_E_PERM);
	assert_non_null(strstr(error_text, "test.so: is not the file that plugins.pins names"));
	plugin_registry_destroy(registry);
}

static void x9_a_pin_by_path_counts_however_the_directory_is_spelled(void **state)
{
	char digest[DIGEST_BYTES];
	struct config_pin pin = {FIXTURES "/test.so", digest};
	const struct vmm_device_type *type = NULL;
	struct plugin_registry *registry = open_registry(FIXTURES "/./", NULL);

	(void)state;
	memset(digest, '0', DIGEST_BYTES - 1);
	digest[DIGEST_BYTES - 1] = '\0';
	plugin_registry_pin(registry, &pin, 1, false);
	assert_int_equal(
		plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), VMM_E_PERM);
	plugin_registry_destroy(registry);
}

static void x9_with_the_policy_pinned_only_pinned_plugins_are_loaded(void **state)
{
	const struct vmm_device_type *type = NULL;
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);

	(void)state;
	plugin_registry_pin(registry, NULL, 0, true);
	assert_int_equal(
		plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), VMM_E_PERM);
	assert_non_null(strstr(error_text, "is not in plugins.pins"));
	plugin_registry_destroy(registry);
}

/* The name of the mapping that holds an address. */
static bool is_mapped_from(const void *address, const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		uintptr_t start = 0, end = 0;

		assert_int_equal(sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end), 2);
		found = (uintptr_t)address >= start && (uintptr_t)address < end &&
			strstr(line, name);
	}
	fclose(maps);
	return found;
}

static void x9_the_code_that_runs_is_the_sealed_copy(void **state)
{
	char digest[DIGEST_BYTES];
	struct config_pin pin = {"test", digest};
	const struct vmm_device_type *type = NULL;
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);

	(void)state;
	find_digest(FIXTURES "/test.so", digest);
	plugin_registry_pin(registry, &pin, 1, false);
	assert_int_equal(plugin_find_type(registry, "test-bus", NULL, &type, NULL, &error), 0);
	assert_true(is_mapped_from((const void *)(uintptr_t)type->ops->create, "/memfd:plugin"));
	plugin_registry_destroy(registry);
}

/* The copy that is judged and loaded cannot be changed through its descriptor any more. */
static void x9_the_copy_that_is_checked_cannot_change(void **state)
{
	char digest[DIGEST_BYTES];
	struct config_pin pin = {"test", digest};
	struct plugin_registry *registry = open_registry(FIXTURES, NULL);
	int fd = open(FIXTURES "/test.so", O_RDONLY | O_CLOEXEC);
	struct stat before, after;

	(void)state;
	find_digest(FIXTURES "/test.so", digest);
	plugin_registry_pin(registry, &pin, 1, true);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(plugin_pin_open(registry, FIXTURES "/test.so", &fd, &error), 0);
	assert_int_equal(fstat(fd, &after), 0);
	assert_true(before.st_ino != after.st_ino && before.st_size == after.st_size);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	plugin_registry_destroy(registry);
}

static void x8_a_plugin_of_another_user_is_refused(void **state)
{
	const struct plugin_trust trust = {
		.user = geteuid() + 1, .owner = geteuid() + 1, .group = (gid_t)-1};
	struct place place;

	(void)state;
	make_place(&place, 0644);
	if (geteuid() == 0)
		assert_int_equal(chown(place.path, 12345, 12345), 0);
	assert_int_equal(judge(&trust, &place), VMM_E_PERM);
	assert_non_null(strstr(error_text, "belongs to user"));
	remove_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_is_found_and_its_tables_are_private_copies),
		cmocka_unit_test(only_what_is_asked_for_is_loaded),
		cmocka_unit_test(a_file_in_an_earlier_directory_wins),
		cmocka_unit_test(a_plugin_named_by_its_path_need_not_be_in_a_search_directory),
		cmocka_unit_test(a_failed_load_fails_the_same_way_again),
		cmocka_unit_test(two_registries_can_load_the_same_plugin),
		cmocka_unit_test(h31_symbols_of_one_name_in_two_plugins_are_two),
		cmocka_unit_test(x8_nobody_else_may_be_able_to_write_a_plugin),
		cmocka_unit_test(a_plugin_that_was_not_read_is_named_when_a_type_is_missed),
		cmocka_unit_test(x8_the_directory_is_judged_like_the_file),
		cmocka_unit_test(x8_a_plugin_of_another_user_is_refused),
		cmocka_unit_test(x8_every_directory_on_the_way_is_judged),
		cmocka_unit_test(x8_the_target_of_a_link_is_judged),
		cmocka_unit_test(x9_a_pinned_plugin_must_have_its_digest),
		cmocka_unit_test(x9_a_pin_by_path_counts_however_the_directory_is_spelled),
		cmocka_unit_test(x9_with_the_policy_pinned_only_pinned_plugins_are_loaded),
		cmocka_unit_test(x9_the_code_that_runs_is_the_sealed_copy),
		cmocka_unit_test(x9_the_copy_that_is_checked_cannot_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
