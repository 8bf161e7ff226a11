/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host does to a virtio disk: images that are wrong, gone, cut, locked or full, a kernel
 * without io_uring, block devices, direct I/O. Names carry the rows of the catalogue of failing
 * hosts (H1 to H24). What needs rights that the test does not have is skipped with that reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_cmocka.h"
#include "rig.h"

static uint8_t sector[BLK_SECTOR_BYTES];

/* create fails with that code, and the text has both parts in it. */
static void assert_refused(struct rig *rig, const char *backend, const char *const *options,
	int32_t code, const char *part, const char *other)
{
	assert_int_equal(rig_add(rig, backend, options), code);
	if (!strstr(fake_error(rig->host), part) || !strstr(fake_error(rig->host), other))
		fail_msg("the text is: %s", fake_error(rig->host));
}

static void h5_truncated_image_fails_the_read(void **state)
{
	struct rig rig;

	rig_start(&rig, *state, NULL);
	assert_int_equal(ftruncate(rig.fd, RIG_IMAGE_BYTES / 2), 0);
	assert_int_equal(
		rig_do(&rig, BLK_T_IN, RIG_SECTORS - 1, sector, sizeof(sector)), BLK_S_IOERR);
	assert_int_equal(
		rig_do(&rig, BLK_T_IN, RIG_SECTORS / 2, sector, sizeof(sector)), BLK_S_IOERR);
	assert_int_equal(
		rig_do(&rig, BLK_T_IN, RIG_SECTORS / 2 - 1, sector, sizeof(sector)), BLK_S_OK);
	rig_close(&rig);
}

static void h6_grown_or_replaced_image_stays_what_it_was(void **state)
{
	struct rig rig;
	char other[160];
	int fd;

	rig_start(&rig, *state, NULL);
	assert_int_equal(ftruncate(rig.fd, RIG_IMAGE_BYTES * 2), 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, RIG_SECTORS, sector, sizeof(sector)), BLK_S_IOERR);
	snprintf(other, sizeof(other), "%s.new", rig.path);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rename(other, rig.path), 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 7, sector, sizeof(sector)), BLK_S_OK);
	assert_int_equal(sector[0], 7);
	rig_close(&rig);
}

static void h7_missing_image_fails_with_its_path(void **state)
{
	struct rig rig;

	rig_open(&rig, NULL);
	unlink(rig.path);
	assert_refused(&rig, *state, NULL, VMM_E_NOT_FOUND, rig.path, "");
	rig_close(&rig);
}

static void h7_image_without_permission_fails_with_its_path(void **state)
{
	struct rig rig;
	int is_root = geteuid() == 0;

	rig_open(&rig, NULL);
	assert_int_equal(chmod(rig.path, 0400), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(&rig, *state, NULL, VMM_E_PERM, rig.path, "");
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	rig_close(&rig);
}

static void h8_image_in_use_is_refused(void **state)
{
	struct rig rig;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	rig_open(&rig, NULL);
	assert_int_equal(fcntl(rig.fd, F_OFD_SETLK, &lock), 0);
	assert_refused(&rig, *state, NULL, VMM_E_BUSY, rig.path, "in use");
	rig_close(&rig);
}

static void h8_image_is_free_again_after_destroy(void **state)
{
	struct rig rig;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	rig_start(&rig, *state, NULL);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(fcntl(rig.fd, F_OFD_SETLK, &lock), -1);
		assert_int_equal(rig_do(&rig, BLK_T_IN, 1, sector, sizeof(sector)), BLK_S_OK);
		rig_stop(&rig);
		assert_int_equal(fcntl(rig.fd, F_OFD_SETLK, &lock), 0);
		lock.l_type = F_UNLCK;
		assert_int_equal(fcntl(rig.fd, F_OFD_SETLK, &lock), 0);
		lock.l_type = F_WRLCK;
		assert_int_equal(rig_add(&rig, *state, NULL), 0);
		rig_run(&rig, UINT64_MAX);
	}
	rig_close(&rig);
}

static void h9_only_files_and_block_devices_are_images(void **state)
{
	struct rig rig;
	char fifo[160];

	rig_open(&rig, NULL);
	snprintf(fifo, sizeof(fifo), "%s.fifo", rig.path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (uint32_t i = 0; i < 4; i++) {
		const char *const bad[] = {fifo, "/dev/zero", "/tmp", "/proc/self/mem"};

		snprintf(rig.path, sizeof(rig.path), "%s", bad[i]);
		assert_true(rig_add(&rig, *state, NULL) < 0);
		assert_non_null(strstr(fake_error(rig.host), bad[i]));
		rig_stop(&rig);
	}
	unlink(fifo);
	rig_close(&rig);
}

static void h10_file_size_limit_fails_the_write(void **state)
{
	struct rig rig;
	struct rlimit before, limit;
	void (*handler)(int);

	rig_need(*state);
	rig_open(&rig, NULL);
	assert_int_equal(ftruncate(rig.fd, 0), 0);
	assert_int_equal(ftruncate(rig.fd, RIG_IMAGE_BYTES), 0);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	rig_run(&rig, UINT64_MAX);
	/* As the core has it. */
	handler = signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = RIG_IMAGE_BYTES / 2;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(
		rig_do(&rig, BLK_T_OUT, RIG_SECTORS - 1, sector, sizeof(sector)), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 1, sector, sizeof(sector)), BLK_S_OK);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, handler);
	assert_true(fake_log_has(rig.host, rig.blk, "File too large"));
	rig_close(&rig);
}

static void h1_full_file_system_fails_the_write(void **state)
{
	struct rig rig;
	char mountpoint[] = "/tmp/vmm-blk-full-XXXXXX";
	static uint8_t data[256 * 1024];
	uint32_t failed = 0;
	int fd;

	rig_need(*state);
	assert_non_null(mkdtemp(mountpoint));
	if (mount("none", mountpoint, "tmpfs", 0, "size=1M") < 0) {
		rmdir(mountpoint);
		print_message("skipped: cannot mount a tmpfs: %s\n", strerror(errno));
		skip();
	}
	rig_open(&rig, NULL);
	snprintf(rig.path, sizeof(rig.path), "%s/image", mountpoint);
	fd = open(rig.path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(ftruncate(fd, RIG_IMAGE_BYTES), 0);
	close(fd);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	rig_run(&rig, UINT64_MAX);
	for (uint32_t i = 0; i < 16; i++)
		failed += rig_do(&rig, BLK_T_OUT, i * 512, data, sizeof(data)) == BLK_S_IOERR;
	assert_true(failed >= 12 && failed < 16);
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 1);
	rig_close(&rig);
	assert_int_equal(umount2(mountpoint, MNT_DETACH), 0);
	rmdir(mountpoint);
}

/* Every service call fails once; nothing may be left behind. */
static void h24_every_failure_of_create_is_clean(void **state)
{
	struct rig rig;
	uint32_t n;

	rig_need(*state);
	for (n = 1;; n++) {
		int32_t ret;

		rig_open(&rig, NULL);
		rig_add_bus(&rig);
		fake_host_fail_after(rig.host, n);
		ret = rig_add(&rig, *state, FAKE_OPTIONS("iops=100", "direct=true"));
		if (ret == 0)
			(void)fake_host_realize(rig.host);
		if (!fake_host_fault_hit(rig.host)) {
			rig_close(&rig);
			break;
		}
		rig_close(&rig);
		assert_true(n < 100);
	}
	assert_true(n > 5);
}

static void forbid_io_uring(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static void child_fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	_exit(99);
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			child_fail(#condition);                                                    \
	} while (0)

static void without_io_uring(void)
{
	struct rig rig;

	fake_set_fail_handler(child_fail);
	forbid_io_uring();
	rig_open(&rig, NULL);
	CHECK(rig_add(&rig, "io_uring", NULL) == VMM_E_UNSUPPORTED);
	CHECK(strstr(fake_error(rig.host), "io_uring cannot be used"));
	rig_stop(&rig);
	CHECK(rig_add(&rig, "auto", NULL) == 0);
	CHECK(fake_log_has(rig.host, NULL, "using workers"));
	CHECK(fake_log_count(rig.host, VMM_LOG_WARN) == 0);
	rig_run(&rig, UINT64_MAX);
	CHECK(rig_do(&rig, BLK_T_IN, 3, sector, sizeof(sector)) == BLK_S_OK);
	CHECK(sector[0] == 3);
	rig_close(&rig);
	_exit(0);
}

static void h22_without_io_uring_auto_uses_workers(void **state)
{
	pid_t child;
	int status;

	(void)state;
	fflush(NULL);
	child = fork();
	if (child == 0)
		without_io_uring();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: cannot set a seccomp filter\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void image_smaller_than_a_block_is_refused(void **state)
{
	struct rig rig;

	rig_open(&rig, NULL);
	assert_int_equal(ftruncate(rig.fd, 511), 0);
	assert_refused(&rig, *state, NULL, VMM_E_INVAL, rig.path, "truncate -s");
	rig_close(&rig);
}

static void rest_of_an_image_is_cut_off_with_a_warning(void **state)
{
	struct rig rig;

	rig_need(*state);
	rig_open(&rig, NULL);
	assert_int_equal(ftruncate(rig.fd, 10000), 0);
	assert_int_equal(rig_add(&rig, *state, FAKE_OPTIONS("block_size=4K")), 0);
	assert_true(fake_log_has(rig.host, rig.blk, "1808 bytes"));
	rig_run(&rig, UINT64_MAX);
	assert_int_equal(rig.transport->config[0], 16);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 16, sector, sizeof(sector)), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 15, sector, sizeof(sector)), BLK_S_OK);
	rig_close(&rig);
}

static void wrong_options_are_refused(void **state)
{
	static const struct {
		const char *option, *part;
	} wrong[] = {
		{"queue_size=12", "power of 2"},
		{"queue_size=2", ""},
		{"queue_size=2048", ""},
		{"queues=0", ""},
		{"queues=17", ""},
		{"block_size=1536", "512, 1024, 2048 or 4096"},
		{"block_size=256", ""},
		{"cache=none", ""},
		{"serial=123456789012345678901", ""},
	};
	struct rig rig;

	for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		rig_open(&rig, NULL);
		assert_true(rig_add(&rig, *state, FAKE_OPTIONS(wrong[i].option)) < 0);
		if (!strstr(fake_error(rig.host), wrong[i].part))
			fail_msg("%s: %s", wrong[i].option, fake_error(rig.host));
		rig_close(&rig);
	}
}

/*
 * ---- Direct I/O ----
 */

static uint8_t *unaligned(uint64_t bytes, uint32_t by, void **ret_memory)
{
	assert_int_equal(posix_memalign(ret_memory, 4096, bytes + 4096), 0);
	memset(*ret_memory, 0, bytes + 4096);
	return (uint8_t *)*ret_memory + by;
}

/* 1 if the directory of the image takes O_DIRECT. */
static int direct_works(const struct rig *rig)
{
	int fd = open(rig->path, O_RDONLY | O_DIRECT);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void start_direct(struct rig *rig, const char *backend, const char *const *options)
{
	rig_need(backend);
	rig_open(rig, NULL);
	if (!direct_works(rig)) {
		rig_close(rig);
		print_message("skipped: O_DIRECT does not work in the directory of the images\n");
		skip();
	}
	if (rig_add(rig, backend, options) < 0)
		fail_msg("%s", fake_error(rig->host));
	rig_run(rig, UINT64_MAX);
}

static void direct_takes_memory_of_any_alignment(void **state)
{
	enum { BYTES = 700 * 1024 };
	static const uint32_t shifts[] = {0, 512, 1, 2048 + 3};
	struct rig rig;
	void *memory;

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	for (uint32_t i = 0; i < 4; i++) {
		uint8_t *data = unaligned(BYTES, shifts[i], &memory);

		assert_int_equal(rig_do(&rig, BLK_T_IN, 8, data, BYTES), BLK_S_OK);
		for (uint32_t j = 0; j < BYTES; j += 512)
			assert_int_equal(data[j + 511], (uint8_t)(8 + j / 512));
		memset(data, (int)(0x40 + i), BYTES);
		data[BYTES - 1] = 0x99;
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 4096, data, BYTES), BLK_S_OK);
		assert_true(rig_sector_is(&rig, 4096, (uint8_t)(0x40 + i)));
		assert_true(rig_sector_is(&rig, 4096 + BYTES / 512 - 2, (uint8_t)(0x40 + i)));
		assert_false(rig_sector_is(&rig, 4096 + BYTES / 512 - 1, (uint8_t)(0x40 + i)));
		free(memory);
	}
	rig_close(&rig);
}

static void direct_requests_wait_for_a_buffer(void **state)
{
	enum { COUNT = 40, BYTES = 64 * 1024 };
	struct rig rig;
	struct rig_request requests[COUNT];
	void *memory;
	uint8_t *data = unaligned((uint64_t)COUNT * BYTES, 5, &memory);

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i * 8, data + i * BYTES, BYTES);
	rig_kick(&rig, 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(requests[i].status, BLK_S_OK);
		assert_int_equal(data[i * BYTES], (uint8_t)(i * 8));
		assert_int_equal(data[i * BYTES + BYTES - 1], (uint8_t)(i * 8 + BYTES / 512 - 1));
	}
	assert_true(rig.transport->unpops > 0);
	rig_close(&rig);
	free(memory);
}

static void direct_image_that_was_cut_fails_the_read(void **state)
{
	struct rig rig;
	void *memory;
	uint8_t *data = unaligned(8192, 0, &memory);

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	assert_int_equal(ftruncate(rig.fd, RIG_IMAGE_BYTES / 2 + 100), 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, RIG_SECTORS / 2, data, 8192), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_IN, RIG_SECTORS / 2 - 16, data, 8192), BLK_S_OK);
	rig_close(&rig);
	free(memory);
}

/*
 * ---- Block devices ----
 */

/* Makes the rig's image a loop device with blocks of that size; the path becomes the device's. */
static int loop_attach(struct rig *rig, uint32_t block_size)
{
	struct loop_config config = {.block_size = block_size};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number, loop;

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (number < 0)
		return -1;
	snprintf(rig->path, sizeof(rig->path), "/dev/loop%d", number);
	loop = open(rig->path, O_RDWR | O_CLOEXEC);
	config.fd = (uint32_t)rig->fd;
	if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
		close(loop);
		loop = -1;
	}
	return loop;
}

static int loop_start(
	struct rig *rig, const char *backend, uint32_t block_size, const char *const *options)
{
	int loop;

	rig_need(backend);
	rig_open(rig, NULL);
	loop = loop_attach(rig, block_size);
	if (loop < 0) {
		rig_close(rig);
		print_message("skipped: cannot make a loop device: %s\n", strerror(errno));
		skip();
	}
	if (rig_add(rig, backend, options) < 0) {
		ioctl(loop, LOOP_CLR_FD);
		close(loop);
		return -1;
	}
	rig_run(rig, UINT64_MAX);
	return loop;
}

static void loop_end(struct rig *rig, int loop)
{
	rig_stop(rig);
	assert_int_equal(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	rig_close(rig);
}

static void block_device_is_read_written_and_zeroed(void **state)
{
	struct rig rig;
	struct blk_wire_segment segment = {.sector = htole64(64), .num_sectors = htole32(64)};
	static uint8_t data[64 * BLK_SECTOR_BYTES];
	int loop = loop_start(&rig, *state, 512, NULL);

	assert_true(loop >= 0);
	assert_int_equal(*(uint64_t *)(void *)rig.transport->config, RIG_SECTORS);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 200, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 200);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		memset(data, 0x12, sizeof(data));
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 64, data, sizeof(data)), BLK_S_OK);
		segment.flags = htole32(unmap);
		assert_int_equal(
			rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_OK);
		assert_int_equal(rig_do(&rig, BLK_T_IN, 64, data, sizeof(data)), BLK_S_OK);
		for (uint32_t i = 0; i < sizeof(data); i++)
			assert_int_equal(data[i], 0);
	}
	segment.flags = 0;
	assert_int_equal(rig_do(&rig, BLK_T_DISCARD, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 63, data, 512), BLK_S_OK);
	assert_int_equal(data[5], 63);
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	loop_end(&rig, loop);
}

static void block_device_of_4096_shows_its_blocks(void **state)
{
	struct rig rig;
	struct blk_wire_segment segment = {.sector = htole64(65), .num_sectors = htole32(3)};
	static uint8_t data[8 * BLK_SECTOR_BYTES] __attribute__((aligned(4096)));
	int loop = loop_start(&rig, *state, 4096, FAKE_OPTIONS("direct=true"));
	const struct blk_wire_config *config;

	assert_true(loop >= 0);
	config = (const void *)rig.transport->config;
	assert_int_equal(le32toh(config->blk_size), 4096);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 8, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[512], 9);
	/* Half a block cannot be read directly. */
	assert_int_equal(rig_do(&rig, BLK_T_IN, 9, data, 512), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 8, data, 512), BLK_S_IOERR);
	assert_int_equal(
		rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_IOERR);
	loop_end(&rig, loop);
	/* Without direct it can. */
	loop = loop_start(&rig, *state, 4096, FAKE_OPTIONS("block_size=512"));
	assert_true(loop >= 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 9, data, 512), BLK_S_OK);
	assert_int_equal(data[0], 9);
	assert_int_equal(rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 64, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 64);
	for (uint32_t i = 512; i < 2048; i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(data[2048], 68);
	loop_end(&rig, loop);
}

static void block_size_smaller_than_direct_needs_is_refused(void **state)
{
	struct rig rig;
	int loop = loop_start(&rig, *state, 4096, FAKE_OPTIONS("direct=true", "block_size=512"));

	assert_int_equal(loop, -1);
	assert_non_null(strstr(fake_error(rig.host), "set block_size = 4096 or direct = false"));
	rig_close(&rig);
}

#define WITH(name, backend)                                                                        \
	{                                                                                          \
#name " [" backend "]", name, NULL, NULL, (void *)(uintptr_t)backend               \
	}
#define BOTH(name) WITH(name, "io_uring"), WITH(name, "worker")

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(h5_truncated_image_fails_the_read),
		BOTH(h6_grown_or_replaced_image_stays_what_it_was),
		WITH(h7_missing_image_fails_with_its_path, "auto"),
		WITH(h7_image_without_permission_fails_with_its_path, "auto"),
		WITH(h8_image_in_use_is_refused, "auto"),
		BOTH(h8_image_is_free_again_after_destroy),
		WITH(h9_only_files_and_block_devices_are_images, "auto"),
		BOTH(h10_file_size_limit_fails_the_write),
		BOTH(h1_full_file_system_fails_the_write),
		BOTH(h24_every_failure_of_create_is_clean),
		cmocka_unit_test(h22_without_io_uring_auto_uses_workers),
		WITH(image_smaller_than_a_block_is_refused, "auto"),
		BOTH(rest_of_an_image_is_cut_off_with_a_warning),
		WITH(wrong_options_are_refused, "auto"),
		BOTH(direct_takes_memory_of_any_alignment),
		BOTH(direct_requests_wait_for_a_buffer),
		BOTH(direct_image_that_was_cut_fails_the_read),
		BOTH(block_device_is_read_written_and_zeroed),
		BOTH(block_device_of_4096_shows_its_blocks),
		WITH(block_size_smaller_than_direct_needs_is_refused, "auto"),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
