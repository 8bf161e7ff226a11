/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of vmm, from main() on, with a KVM that is not there and a guest that uses every device,
 * while one call after the other fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <vmm/testkit/virtio_driver.h>

#include "frames.h"
#include "guest.h"
#include "kvm.h"
#include "sweep.h"

int vmm_main(int argc, char **argv);

#define ARGUMENTS_MAX 16
#define PATIENCE_MS   100

/* What vmm may end with when it could not start: vmm(1). */
static const int refusals[] = {2, 4, 6, 8};

struct program {
	const char *arguments[ARGUMENTS_MAX];
	bool has_guest;
};

static char folder[64];

static void path_of(char *path, size_t bytes, const char *name)
{
	snprintf(path, bytes, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void write_file(const char *name, const char *format, ...)
{
	char path[128];
	va_list args;
	FILE *file;

	path_of(path, sizeof(path), name);
	file = fopen(path, "we");
	assert_non_null(file);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	assert_int_equal(fclose(file), 0);
}

/* --- The guest --- */

#define DISK_ID      2u
#define CARD_ID      1u
#define RANDOM_ID    4u
#define SECTOR_BYTES 512u
#define COM1         0x3f8u
#define ACPI_SLEEP   0x600u
#define POWER_OFF    0x34u

struct guest {
	struct fake_host *host;
	struct fake_virtio driver;
	uint32_t nth;
	bool is_hurt; /* something was not served */
};

/* Whether the guest came to its end, and whether all was served on the second try at the latest. */
static struct {
	atomic_bool ended; /* the others are written before */
	bool served;
	char text[256];
} outcome;

static uint8_t disk_request(struct guest *guest, uint32_t type, uint64_t sector, bool to_device)
{
	struct fake_virtio *d = &guest->driver;
	const struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = {type, 0, sector};
	const uint8_t untouched = 0xee;
	uint64_t before = d->ram_next;
	uint64_t data = fake_virtio_alloc(d, 8 * SECTOR_BYTES, SECTOR_BYTES);
	struct fake_virtio_buffer buffers[] = {{fake_virtio_put(d, &header, 16), 16, 0},
		{data, 8 * SECTOR_BYTES, !to_device}, {fake_virtio_put(d, &untouched, 1), 1, 1}};
	uint8_t status;

	if (type == 4)
		buffers[1] = buffers[2];
	fake_virtio_request(d, 0, buffers, type == 4 ? 2 : 3);
	status = *(uint8_t *)fake_ram(guest->host, buffers[2].gpa, 1);
	d->ram_next = before;
	return status;
}

static void use_disk(void *ctx)
{
	struct guest *guest = ctx;
	uint8_t status, flush;

	fake_virtio_find(guest->host, DISK_ID, guest->nth, 0x100000, 0x300000, &guest->driver);
	fake_virtio_init(&guest->driver, FAKE_VIRTIO_ALL);
	status = disk_request(guest, 1, 8, true);   /* write */
	flush = disk_request(guest, 4, 0, true);    /* flush */
	status |= disk_request(guest, 0, 8, false); /* read */
	if ((status | flush) > 1)
		sweep_fail("disk requests ended with status %u, a flush with %u", status, flush);
	/* A sync that failed once fails for good: what was not written then is lost. */
	guest->is_hurt = status || (flush && !fault_gave(EIO));
}

static void use_card(void *ctx)
{
	struct guest *guest = ctx;
	struct fake_virtio *d = &guest->driver;
	uint8_t frame[64], header[12] = {0};
	uint32_t bytes = frame_arp(frame, FRAME_ROUTER_IP);
	struct fake_virtio_buffer in, out;

	fake_virtio_find(guest->host, CARD_ID, 0, 0x100000, 0x300000, d);
	fake_virtio_init(d, 1ull << 5 | 1ull << 16 | 1ull << 28 | 1ull << 32);
	in = (struct fake_virtio_buffer){fake_virtio_alloc(d, 2048, 16), 2048, 1};
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	out = (struct fake_virtio_buffer){
		fake_virtio_put(d, header, sizeof(header)), (uint32_t)sizeof(header) + bytes, 0};
	fake_virtio_put(d, frame, bytes);
	fake_virtio_request(d, 1, &out, 1);
	fake_virtio_wait(d, 0, NULL);
}

static void use_random(void *ctx)
{
	struct guest *guest = ctx;
	struct fake_virtio *d = &guest->driver;
	struct fake_virtio_buffer in;

	fake_virtio_find(guest->host, RANDOM_ID, 0, 0x100000, 0x300000, d);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in = (struct fake_virtio_buffer){fake_virtio_alloc(d, 64, 16), 64, 1};
	guest->is_hurt = guest->is_hurt || fake_virtio_request(d, 0, &in, 1) == 0;
}

static void use_serial(void *ctx)
{
	const struct guest *guest = ctx;

	for (const char *c = "a line of the guest\n"; *c; c++)
		fake_pio_write(guest->host, COM1, 1, (uint8_t)*c);
	for (uint32_t reg = 0; reg < 8; reg++)
		fake_pio_read(guest->host, COM1 + reg, 1);
}

/* What did not work is tried again, once. */
static void serve(struct guest *guest, void (*part)(void *ctx))
{
	char text[256] = "";

	for (uint32_t try = 0; try < 2; try++) {
		guest->is_hurt = false;
		if (guest_try(part, guest, text, sizeof(text)) && !guest->is_hurt) {
			fake_virtio_fini(&guest->driver);
			return;
		}
		fake_virtio_fini(&guest->driver);
	}
	outcome.served = false;
	snprintf(outcome.text, sizeof(outcome.text), "not served: %.200s", text);
}

static void guest_main(struct fake_host *host)
{
	struct guest guest = {.host = host};

	outcome.served = true;
	serve(&guest, use_serial);
	serve(&guest, use_disk);
	guest.nth = 1;
	serve(&guest, use_disk);
	serve(&guest, use_card);
	serve(&guest, use_random);
	outcome.ended = true;
	fake_pio_write(host, ACPI_SLEEP, 1, POWER_OFF);
}

/* --- One run --- */

static bool is_refusal(int status)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (status == refusals[i])
			return true;
	return false;
}

static void close_input(void *ctx)
{
	(void)ctx;
	close(STDIN_FILENO);
	if (open("/dev/null", O_RDONLY) != STDIN_FILENO)
		abort();
}

static void attempt(void *ctx, enum fault_mode mode, struct sweep_result *ret_result)
{
	const struct program *program = ctx;
	char *argv[ARGUMENTS_MAX + 1] = {NULL};
	int argc = 0;
	int status;

	while (argc < ARGUMENTS_MAX && program->arguments[argc]) {
		argv[argc] = (char *)(uintptr_t)program->arguments[argc];
		argc++;
	}
	kvm_set_patience(mode == FAULT_PERSISTENT ? PATIENCE_MS : 0);
	outcome.ended = false;
	status = vmm_main(argc, argv);
	ret_result->succeeded = status == 0;
	if (status && !is_refusal(status))
		sweep_fail("exit status %d", status);
	if (status || !program->has_guest)
		return;
	if (!outcome.ended)
		sweep_fail("the guest did not come to its end");
	/* What fails for good may stay unserved; the guest went on nevertheless. */
	if (!outcome.served && mode != FAULT_PERSISTENT)
		sweep_fail("%s", outcome.text);
}

static void sweep_program(const char *name, struct program *program)
{
	struct sweep sweep = {
		.name = name, .prepare = close_input, .attempt = attempt, .ctx = program};

	fault_scope(true, true);
	assert_int_equal(sweep_run(&sweep), 0);
}

#define PROGRAM(...)                                                                               \
	{                                                                                          \
		.arguments = { "vmm", __VA_ARGS__ }                                                \
	}

static void h21_h19_checking_a_configuration(void **state)
{
	char path[128];
	struct program program = PROGRAM("-c", path, "-s", "machine.memory=64M", "--check");

	(void)state;
	path_of(path, sizeof(path), "guest.cfg");
	sweep_program("--check", &program);
}

static void h21_h19_a_guest_that_uses_all_devices(void **state)
{
	char path[128];
	struct program program = PROGRAM("-c", path);

	(void)state;
	path_of(path, sizeof(path), "guest.cfg");
	program.has_guest = true;
	sweep_program("guest", &program);
}

/* --- The files --- */

static int setup(void **state)
{
	char path[128];
	uv_loop_t loop;

	(void)state;
	/* What libuv makes once and keeps is there before runs are asked what they left. */
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_loop_close(&loop);
	snprintf(folder, sizeof(folder), "/tmp/vmm-faults-XXXXXX");
	assert_non_null(mkdtemp(folder));
	write_file("initrd", "not much of an initrd");
	write_file("disk.img", "x");
	path_of(path, sizeof(path), "disk.img");
	assert_int_equal(truncate(path, 1 << 20), 0);
	write_file("more.cfg", "iothreads = (\"io0\");\n");
	write_file("disk2.img", "x");
	path_of(path, sizeof(path), "disk2.img");
	assert_int_equal(truncate(path, 1 << 20), 0);
	write_file("guest.cfg",
		"machine = { type = \"pc-1.0\"; cpus = 2; memory = \"64M\"; sandbox = \"off\"; };\n"
		"boot = { kernel = \"%s\"; cmdline = \"test\"; modules = ({ path = \"initrd\"; });"
		" };\n"
		"plugins = { search = (\"%s\"); };\n"
		"@include \"more.cfg\"\n"
		"devices = (\n"
		"{ type = \"pci\"; id = \"pci0\"; },\n"
		"{ type = \"platform\"; id = \"platform0\"; },\n"
		"{ type = \"serial\"; id = \"com1\"; backend = \"stdio\"; },\n"
		"{ type = \"virtio-pci\"; id = \"virtio0\"; },\n"
		"{ type = \"virtio-blk\"; id = \"disk0\"; path = \"disk.img\"; aio = \"worker\"; "
		"},\n"
		"{ type = \"virtio-blk\"; id = \"disk1\"; path = \"disk2.img\"; iothread = \"io0\";"
		" },\n"
		"{ type = \"virtio-net\"; id = \"net0\"; backend = \"user\"; },\n"
		"{ type = \"virtio-rng\"; id = \"rng0\"; }\n"
		");\n",
		TEST_KERNEL, TEST_PLUGINS);
	kvm_install(guest_main);
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {
		"initrd", "disk.img", "disk2.img", "more.cfg", "guest.cfg"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		path_of(path, sizeof(path), files[i]);
		unlink(path);
	}
	rmdir(folder);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h21_h19_checking_a_configuration),
		cmocka_unit_test(h21_h19_a_guest_that_uses_all_devices),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
