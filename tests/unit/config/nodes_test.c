/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of nodes: what text becomes, where it was written, and what overrides do to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/node.h"

struct fixture {
	struct arena arena;
	struct node *root;
	char text[CONFIG_ERROR_BYTES];
	struct vmm_error error;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){0};
	arena_init(&fixture.arena);
	fixture.error =
		(struct vmm_error){sizeof(fixture.error), fixture.text, sizeof(fixture.text)};
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_fini(&fixture->arena);
	return 0;
}

static int read_text(struct fixture *fixture, const char *text)
{
	return node_read_text(&fixture->arena, text, "x", &fixture->root, &fixture->error);
}

static const struct node *child(const struct node *parent, const char *name)
{
	const struct node *found = node_child(parent, name);

	assert_non_null(found);
	return found;
}

static void values_keep_their_kind(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, "b = TRUE; i = -7; h = 0xffffffff; l = 5000000000;"
					    "r = 1.5; s = \"a\" \"b\"; e = \"\\x41\\n\";"
					    "g = { x = 1 }; a = [1, 2, 3]; m = (1, \"two\", {})"),
		0);
	assert_int_equal(child(fixture->root, "b")->kind, NODE_BOOL);
	assert_int_equal(child(fixture->root, "b")->number, 1);
	assert_int_equal(child(fixture->root, "i")->number, -7);
	assert_int_equal(child(fixture->root, "h")->number, 4294967295);
	assert_int_equal(child(fixture->root, "l")->number, 5000000000);
	assert_int_equal(child(fixture->root, "r")->kind, NODE_REAL);
	assert_string_equal(child(fixture->root, "s")->text, "ab");
	assert_string_equal(child(fixture->root, "e")->text, "A\n");
	assert_int_equal(child(fixture->root, "g")->kind, NODE_GROUP);
	assert_int_equal(child(fixture->root, "a")->child_count, 3);
	assert_int_equal(child(fixture->root, "m")->child_count, 3);
	assert_int_equal(child(fixture->root, "m")->last->kind, NODE_GROUP);
}

static void the_smallest_and_largest_integers_are_exact(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, "a = -9223372036854775808; b = 9223372036854775807;"
					    "c = 0x7fffffffffffffffL; d = 2147483648;"),
		0);
	assert_true(child(fixture->root, "a")->number == INT64_MIN);
	assert_true(child(fixture->root, "b")->number == INT64_MAX);
	assert_true(child(fixture->root, "c")->number == INT64_MAX);
	assert_true(child(fixture->root, "d")->number == 2147483648);
	assert_int_equal(read_text(fixture, "a = -9223372036854775809"), VMM_E_INVAL);
}

static void an_empty_text_is_an_empty_group(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, ""), 0);
	assert_int_equal(fixture->root->kind, NODE_GROUP);
	assert_int_equal(fixture->root->child_count, 0);
}

static void places_are_those_of_the_included_files(void **state)
{
	struct fixture *fixture = *state;
	char directory[] = "/tmp/vmm-nodes-XXXXXX";
	char main_path[64], inner_path[64];
	FILE *file;

	assert_non_null(mkdtemp(directory));
	snprintf(main_path, sizeof(main_path), "%s/main.cfg", directory);
	snprintf(inner_path, sizeof(inner_path), "%s/inner.cfg", directory);
	file = fopen(main_path, "w");
	assert_non_null(file);
	fputs("a = 1;\n/* two\nlines */\n \t@include \"inner.cfg\" # blanks\nd = 4;", file);
	fclose(file);
	file = fopen(inner_path, "w");
	assert_non_null(file);
	fputs("# comment\nb = 2;\n\nc = (\n{ x = 3; }\n);", file);
	fclose(file);
	assert_int_equal(
		node_read_file(&fixture->arena, main_path, &fixture->root, &fixture->error), 0);
	unlink(main_path);
	unlink(inner_path);
	rmdir(directory);
	assert_int_equal(child(fixture->root, "a")->place.line, 1);
	assert_string_equal(child(fixture->root, "a")->place.file, main_path);
	assert_int_equal(child(fixture->root, "b")->place.line, 2);
	assert_string_equal(child(fixture->root, "b")->place.file, inner_path);
	assert_int_equal(child(child(fixture->root, "c")->children, "x")->place.line, 5);
	assert_int_equal(child(fixture->root, "d")->place.line, 5);
	assert_string_equal(child(fixture->root, "d")->place.file, main_path);
}

static int override(struct fixture *fixture, const char *assignment)
{
	return node_override(&fixture->arena, fixture->root, assignment, &fixture->error);
}

static void an_override_replaces_and_adds(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, "machine = { cpus = 1; on = true; };"), 0);
	assert_int_equal(override(fixture, "machine.cpus=2"), 0);
	assert_int_equal(override(fixture, "machine.memory=1G"), 0);
	assert_int_equal(override(fixture, "boot.cmdline=a=b c"), 0);
	assert_int_equal(override(fixture, "boot.initrd="), 0);
	assert_int_equal(override(fixture, "boot.list=(1, \"x\")"), 0);
	const struct node *machine = child(fixture->root, "machine");
	const struct node *boot = child(fixture->root, "boot");

	assert_int_equal(machine->child_count, 3);
	assert_int_equal(child(machine, "cpus")->number, 2);
	assert_string_equal(child(machine, "cpus")->place.file, "-s machine.cpus");
	assert_int_equal(child(machine, "cpus")->place.line, 0);
	assert_int_equal(child(machine, "memory")->kind, NODE_STRING);
	assert_string_equal(child(machine, "memory")->text, "1G");
	assert_string_equal(child(boot, "cmdline")->text, "a=b c");
	assert_string_equal(child(boot, "initrd")->text, "");
	assert_int_equal(child(boot, "list")->child_count, 2);
}

static void an_override_finds_devices_by_id_and_by_number(void **state)
{
	struct fixture *fixture = *state;
	const struct node *devices;

	assert_int_equal(read_text(fixture, "devices = ( { type = \"a\"; }, { type = \"a\"; },"
					    "{ type = \"b\"; id = \"a2\"; } );"),
		0);
	assert_int_equal(override(fixture, "devices.a1.x=1"), 0);
	assert_int_equal(override(fixture, "devices[0].x=0"), 0);
	assert_int_equal(override(fixture, "devices.a2.x=2"), 0);
	assert_int_equal(override(fixture, "devices.new={ type = \"c\"; }"), 0);
	assert_int_equal(override(fixture, "devices.new.y=\"quoted\""), 0);
	devices = child(fixture->root, "devices");
	assert_int_equal(devices->child_count, 4);
	assert_int_equal(child(devices->children, "x")->number, 0);
	assert_int_equal(child(devices->children->next, "x")->number, 1);
	assert_int_equal(child(devices->children->next->next, "x")->number, 2);
	assert_string_equal(child(devices->last, "id")->text, "new");
	assert_string_equal(child(devices->last, "y")->text, "quoted");
	assert_int_equal(override(fixture, "devices.a3.x=1"), VMM_E_NOT_FOUND);
	assert_int_equal(override(fixture, "devices[4].x=1"), VMM_E_INVAL);
	assert_int_equal(override(fixture, "devices[x].x=1"), VMM_E_INVAL);
	assert_int_equal(override(fixture, "devices[0.x=1"), VMM_E_INVAL);
}

static void default_ids_avoid_those_that_are_taken(void **state)
{
	static const char *const expected[] = {"a1", "a0", "a2", "b0"};
	struct fixture *fixture = *state;
	const struct node *devices;
	size_t i = 0;

	assert_int_equal(read_text(fixture, "devices = ( { type = \"a\"; }, { id = \"a0\"; },"
					    "{ type = \"a\"; }, { type = \"b\"; }, {} );"),
		0);
	devices = child(fixture->root, "devices");
	for (const struct node *device = devices->children; device && i < 4; device = device->next)
		assert_string_equal(
			node_device_id(&fixture->arena, devices, device), expected[i++]);
	assert_null(node_device_id(&fixture->arena, devices, devices->last));
}

static void bad_overrides_change_nothing(void **state)
{
	static const char *const bad[] = {"", "=", "=1", "a", "a..b=1", ".a=1", "a.=1", "a b=1",
		"machine.cpus.x=1", "x=\"open", "x=(1", "x={ y = 1", "x=\"a\"; z = 1", "[0]=1",
		"machine[0]=1"};
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, "machine = { cpus = 1; };"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(override(fixture, bad[i]), VMM_E_INVAL);
		assert_int_equal(strncmp(fixture->text, "-s ", 3), 0);
	}
	assert_int_equal(child(child(fixture->root, "machine"), "cpus")->number, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_keep_their_kind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_smallest_and_largest_integers_are_exact, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_empty_text_is_an_empty_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			places_are_those_of_the_included_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_override_replaces_and_adds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_override_finds_devices_by_id_and_by_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			default_ids_avoid_those_that_are_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_overrides_change_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
