/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines of devices as shipped, made while one call of a host service after the other fails, at
 * whatever device and in whatever phase it comes: the start says why it failed, and the fake host
 * finds what is left behind. Row H24.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/host.h>

#define DEVICES_MAX 8u
#define OPTIONS_MAX 4u
#define CALLS_MAX   1000u
#define IMAGE_BYTES (1 << 20)

struct device {
	const char *type;
	const char *options[OPTIONS_MAX + 1];
};

static char image_option[64] = "path=/tmp/vmm-services-XXXXXX";
static const char *const image = image_option + 5;

static const char *const plugins[] = {FAKE_PLUGIN("pci"), FAKE_PLUGIN("platform"),
	FAKE_PLUGIN("serial"), FAKE_PLUGIN("virtio"), FAKE_PLUGIN("virtio-blk"),
	FAKE_PLUGIN("virtio-net"), FAKE_PLUGIN("virtio-rng")};

static const struct device with_pci[DEVICES_MAX] = {{"pci", {NULL}}, {"platform", {NULL}},
	{"serial", {NULL}}, {"virtio-pci", {"bus=d0"}},
	{"virtio-blk", {"transport=d3", image_option, "aio=io_uring"}},
	{"virtio-net", {"transport=d3", "backend=user"}},
	{"virtio-rng", {"transport=d3", "rate=10K"}}};

static const struct device with_mmio[DEVICES_MAX] = {{"platform", {NULL}}, {"debug-exit", {NULL}},
	{"serial", {NULL}}, {"virtio-mmio", {NULL}},
	{"virtio-blk", {"transport=d3", image_option, "aio=worker"}},
	{"virtio-net", {"transport=d3", "backend=user"}}, {"virtio-rng", {"transport=d3"}}};

static int32_t make(struct fake_host *host, const struct device *devices)
{
	for (uint32_t i = 0; i < DEVICES_MAX && devices[i].type; i++) {
		char id[] = {'d', (char)('0' + i), '\0'};
		int32_t ret = fake_device_add(host, devices[i].type, id, devices[i].options, NULL);

		if (ret < 0)
			return ret;
	}
	return fake_host_start(host);
}

static void h24_each_failing_service_undoes_the_whole_machine(void **state)
{
	const struct device *devices = *state;

	fake_use_cmocka();
	for (uint32_t n = 1; n < CALLS_MAX; n++) {
		struct fake_host *host = fake_host_create(NULL);
		int32_t ret;
		int hit;

		for (size_t i = 0; i < sizeof(plugins) / sizeof(*plugins); i++)
			fake_plugin_load(host, plugins[i]);
		fake_host_fail_after(host, n);
		ret = make(host, devices);
		hit = fake_host_fault_hit(host);
		fake_host_fail_after(host, 0);
		if (hit && ret >= 0)
			fail_msg("call %u failed and nobody cared: %s", n, fake_error(host));
		if (hit && !fake_error(host)[0])
			fail_msg("no text for call %u", n);
		if (!hit && ret < 0)
			fail_msg("without a fault: %s", fake_error(host));
		fake_host_destroy(host);
		if (!hit) {
			printf("%u calls failed\n", n - 1);
			assert_true(n > 20);
			return;
		}
	}
	fail_msg("there is no end of calls");
}

static int setup(void **state)
{
	int fd = mkstemp(image_option + 5);

	(void)state;
	if (fd < 0 || ftruncate(fd, IMAGE_BYTES))
		return -1;
	return close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(image);
}

#define TEST(machine)                                                                              \
	{                                                                                          \
		"h24_each_failing_service_undoes_the_whole_machine [" #machine "]",                \
			h24_each_failing_service_undoes_the_whole_machine, NULL, NULL,             \
			(void *)(uintptr_t)(machine)                                               \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(with_pci), TEST(with_mmio)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
