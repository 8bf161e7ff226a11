/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config with bytes changed, cut and repeated at random (H32): it is accepted or refused with a
 * text that starts with its place, and nothing else happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/node.h"

#define ROUNDS 3000

static const char sample[] =
	"# a guest\nmachine = { type = \"pc-1.0\"; cpus = 2; memory = 0x10000000L; };\n"
	"boot : { kernel : \"a\\x41\\n\" \"b\", modules = ( { path = \"m\"; } ) };\n"
	"iothreads = [ \"io0\", \"io1\" ]; /* two */\n"
	"devices = ( { type = \"x\"; a = 1.5e3; b = TRUE; c = (1, [2], {}); } );\n";

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static size_t mutate(char *text, size_t bytes, uint64_t *seed)
{
	static const char marks[] = "{}()[]=:;,\"\\/*#@\n\0\xff\x80"
				    "09azL-+. ";
	unsigned changes = 1 + (unsigned)(next_random(seed) % 4);

	while (changes--) {
		size_t at = next_random(seed) % bytes;

		switch (next_random(seed) % 4) {
		case 0:
			text[at] = (char)next_random(seed);
			break;
		case 1:
			text[at] = marks[next_random(seed) % (sizeof(marks) - 1)];
			break;
		case 2:
			memmove(text + at, text + at + 1, bytes - at - 1);
			bytes--;
			break;
		default:
			bytes = bytes > 20 ? at + 10 < bytes ? at + 10 : bytes : bytes;
			break;
		}
	}
	return bytes;
}

static void changed_bytes_are_accepted_or_refused_with_a_place(void **state)
{
	char path[] = "/tmp/vmm-mutations-XXXXXX";
	uint64_t seed = 0x9e3779b97f4a7c15;
	int fd = mkstemp(path);
	unsigned refused = 0;

	(void)state;
	assert_true(fd >= 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		char error_text[CONFIG_ERROR_BYTES] = "";
		struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};
		struct config *config = NULL;
		char text[sizeof(sample)];
		size_t bytes;

		memcpy(text, sample, sizeof(sample));
		bytes = mutate(text, sizeof(sample) - 1, &seed);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, text, bytes, 0), (ssize_t)bytes);
		if (config_load(path, NULL, 0, 0, &config, &error)) {
			refused++;
			assert_int_equal(strncmp(error_text, path, strlen(path)), 0);
			assert_null(config);
		}
		config_free(config);
	}
	close(fd);
	unlink(path);
	assert_true(refused > ROUNDS / 2);
}

static void changed_overrides_are_accepted_or_refused(void **state)
{
	static const char assignment[] = "devices.x0.a={ b = (1, \"two\"); c = [3] }";
	uint64_t seed = 0x243f6a8885a308d3;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct node *root = NULL;
		struct arena arena;
		char text[sizeof(assignment)];

		memcpy(text, assignment, sizeof(assignment));
		text[mutate(text, sizeof(assignment) - 1, &seed)] = '\0';
		arena_init(&arena);
		assert_int_equal(node_read_text(&arena, "devices = ( { type = \"x\"; } );", "t",
					 &root, NULL),
			0);
		(void)node_override(&arena, root, text, NULL);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_bytes_are_accepted_or_refused_with_a_place),
		cmocka_unit_test(changed_overrides_are_accepted_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
