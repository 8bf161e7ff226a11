/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host does to a virtio disk: images that are wrong, gone, cut, locked or full, a kernel
 * without io_uring, block devices, direct I/O. Names carry the rows of the catalogue of failing
 * hosts (H1 to H24). What needs rights that the test does not have is skipped with that reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

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
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
