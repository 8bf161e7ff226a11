/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "tap" on a real tap device: frames, the link, floods. Errors that a device does not
 * give on demand are given by this file's writev().
 */
#include "tap_rig.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DATA_VALID 2u /* VIRTIO_NET_HDR_F_DATA_VALID */
#define GSO_TCPV4  1u /* VIRTIO_NET_HDR_GSO_TCPV4 */

static int writes_until_error, write_error, writes;

/* What the plugin calls. */
__attribute__((visibility("default"))) ssize_t writev(int fd, const struct iovec *iov, int count)
{
	writes++;
	if (writes_until_error && --writes_until_error == 0) {
		errno = write_error;
		return -1;
	}
	return syscall(SYS_writev, fd, iov, count);
}

/* What the kernel writes in front of a frame whose checksum it has seen already, or that is many.
 */
static uint8_t read_flags, read_gso;

__attribute__((visibility("default"))) ssize_t readv(int fd, const struct iovec *iov, int count)
{
	ssize_t bytes = syscall(SYS_readv, fd, iov, count);

	if (bytes > 0)
		*(uint8_t *)iov[0].iov_base |= read_flags;
	if (bytes > 0 && iov[0].iov_len > 1)
		*((uint8_t *)iov[0].iov_base + 1) |= read_gso;
	return bytes;
}

static void frames_pass_both_ways(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), FAKE_VIRTIO_ALL);

	(void)state;
	tap_carries(&table, 60);
	tap_carries(&table, 1514);
	assert_int_equal(fake_guest_errors(table.rig->host, NULL), 0);
	tap_close(&table);
}

static void an_inherited_fd_is_used(void **state)
{
	struct ifreq request = {0};
	int fd = tap_fd(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	struct table table;
	char option[16];

	(void)state;
	snprintf(option, sizeof(option), "fd=%d", fd);
	table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, option), TAP_MERGE);
	tap_carries(&table, 60);
	tap_close(&table);
	assert_int_equal(ioctl(fd, TUNGETIFF, &request), 0); /* it stays the caller's */
	close(fd);
}

static void fails(const char *text, const char *const *options)
{
	struct rig *rig = rig_host(0);
	const char *args[16] = {"transport=v0"};

	for (uint32_t i = 0; options[i]; i++)
		args[i + 1] = options[i];
	assert_true(fake_device_add(rig->host, "virtio-net", "net0", args, NULL) < 0);
	if (!strstr(fake_error(rig->host), text))
		fail_msg("\"%s\" is not in: %s", text, fake_error(rig->host));
	rig_close(rig);
}

static void h11_taps_that_cannot_be_used_are_named(void **state)
{
	int fd = tap_fd(IFF_TAP | IFF_NO_PI);
	char option[16], text[64];

	(void)state;
	snprintf(option, sizeof(option), "fd=%d", fd);
	snprintf(text, sizeof(text), "fd %d is not an open tap device with IFF_VNET_HDR", fd);
	fails(text, FAKE_OPTIONS(TAP_OPTIONS, option));
	fails("tap device \"tap7\" is in use", FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"));
	close(fd);
	fails("\"lo\" is not a tap device that fits", FAKE_OPTIONS(TAP_OPTIONS, "ifname=lo"));
	if (access("/dev/vhost-net", F_OK) != 0)
		fails("/dev/vhost-net", FAKE_OPTIONS("backend=tap", "vhost=on", "ifname=tap7"));
}

/* The driver is told, sends go nowhere, and the link comes back with the device. */
static void n5_device_that_goes_down_and_up(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	struct rig *rig = table.rig;
	uint8_t frame[60];
	uint64_t before;

	(void)state;
	tap_carries(&table, 60);
	before = fake_virtio_config_interrupts(&rig->driver);
	tap_set_up(false);
	for (int i = 0; i < 5; i++)
		rig_send(rig, frame, tap_frame(frame, sizeof(frame), 1));
	fake_settle(rig->host);
	assert_int_equal(tap_link(rig), 0);
	assert_int_equal(fake_virtio_config_interrupts(&rig->driver), before + 1);
	fake_virtio_init(&rig->driver, TAP_MERGE); /* a new driver changes nothing */
	fake_settle(rig->host);
	assert_int_equal(tap_link(rig), 0);
	tap_set_up(true);
	fake_settle(rig->host);
	assert_int_equal(tap_link(rig), 1);
	tap_carries(&table, 60);
	tap_close(&table);
}

static void h11_deleted_device_is_a_pulled_cable(void **state)
{
	for (int reading = 0; reading < 2; reading++) {
		struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
		struct rig *rig = table.rig;
		uint8_t frame[60];

		(void)state;
		if (reading)
			tap_carries(&table, 60);
		fake_settle(rig->host);
		tap_delete();
		if (!reading)
			rig_send(rig, frame, tap_frame(frame, sizeof(frame), 1));
		fake_settle(rig->host);
		assert_int_equal(tap_link(rig), 0);
		assert_true(fake_log_has(rig->host, NULL, "the tap device is gone"));
		assert_int_equal(fake_run_once(rig->host, 0), 0);
		fake_virtio_init(&rig->driver, TAP_MERGE);
		assert_false(fake_virtio_status(&rig->driver) & FAKE_VIRTIO_NEEDS_RESET);
		for (int i = 0; i < 5; i++)
			rig_send(rig, frame, tap_frame(frame, sizeof(frame), 1));
		assert_int_equal(tap_link(rig), 0);
		tap_close(&table);
	}
}

/* Nothing is lost, nothing turns while the device has no room, and no order changes. */
static void n5_full_device_is_waited_for(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	struct fake_virtio *driver = &table.rig->driver;
	uint8_t out[12 + 60] = {0}, seen[2048];

	(void)state;
	for (uint8_t i = 0; i < 20; i++) {
		tap_frame(out + 12, 60, i);
		fake_virtio_add(driver, 1,
			(struct fake_virtio_buffer[]){
				{fake_virtio_put(driver, out, sizeof(out)), sizeof(out), 0}},
			1, 0);
	}
	writes = 0;
	writes_until_error = 5;
	write_error = EAGAIN;
	fake_virtio_kick(driver, 1);
	fake_settle(table.rig->host);
	assert_int_equal(fake_virtio_used_index(driver, 1), 20);
	assert_int_equal(writes, 21);
	for (uint8_t i = 0; i < 20; i++) {
		assert_int_equal(recv(table.end, seen, sizeof(seen), 0), 60);
		assert_int_equal(seen[59], i);
	}
	assert_int_equal(tap_link(table.rig), 1);
	tap_close(&table);
}

static void n5_errors_of_a_write_cost_one_frame(void **state)
{
	static const int errors[] = {EINVAL, ENOBUFS, ENOMEM, EFAULT, EPERM};
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	uint8_t frame[60];

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		writes_until_error = 1;
		write_error = errors[i];
		rig_send(table.rig, frame, tap_frame(frame, 60, 1));
		tap_carries(&table, 60);
	}
	assert_int_equal(tap_link(table.rig), 1);
	tap_close(&table);
}

static void n4_what_the_tap_refuses_is_dropped(void **state)
{
	/* Segments of a frame that is not IP at all: EINVAL from the device. */
	static const uint8_t hdr[RIG_HDR_BYTES] = {1, 1, 54, 0, 100, 0, 34, 0, 16};
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), FAKE_VIRTIO_ALL);
	uint8_t frame[1000];

	(void)state;
	assert_true(table.rig->driver.features & RIG_F_HOST_TSO4);
	for (int i = 0; i < 10; i++)
		rig_send_on(table.rig, 0, hdr, frame, tap_frame(frame, 1000, 0));
	assert_int_equal(tap_link(table.rig), 1);
	tap_carries(&table, 60);
	tap_close(&table);
}

static void n7_frame_over_several_buffers_or_none(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	struct rig *rig = table.rig;

	(void)state;
	rig_fill(rig, 0, 40, 100);
	tap_host_send(table.end, 1000, 0x11);
	tap_receive(rig, 0);
	assert_int_equal(rig->num_buffers, 11); /* 1012 bytes */
	assert_int_equal(rig->data, 1000);
	fake_settle(rig->host);
	while (rig_take(rig, 0))
		;
	fake_virtio_init(&rig->driver, TAP_MERGE);
	rig_fill(rig, 0, 9, 100);
	tap_host_send(table.end, 1000, 0x22); /* one too few */
	fake_settle(rig->host);
	assert_int_equal(fake_virtio_used_index(&rig->driver, 0), 0);
	rig_fill(rig, 0, 2, 100);
	tap_host_send(table.end, 1000, 0x33);
	tap_receive(rig, 0);
	assert_int_equal(rig->frame[999], 0x33);
	tap_close(&table);
}

static void n6_frame_that_does_not_fit_is_dropped(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), RIG_PLAIN);
	struct rig *rig = table.rig;
	uint32_t bytes;

	(void)state;
	tap_host_send(table.end, 1000, 0x11);
	do { /* the kernel's own frames are small enough, and may come first */
		rig_fill(rig, 0, 1, 500);
		while (!fake_virtio_reap(&rig->driver, 0, NULL, &bytes))
			assert_true(fake_run_once(rig->host, 5000) > 0);
	} while (bytes);
	assert_int_equal(fake_guest_errors(rig->host, "rx-buffer"), 1);
	tap_carries(&table, 1000);
	tap_close(&table);
}

/* The device is not read while there is no buffer, and is as soon as there is. */
static void n8_flood_without_buffers(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	struct rig *rig = table.rig;

	(void)state;
	fake_settle(rig->host);
	for (int i = 0; i < 2000; i++) {
		uint8_t frame[60];

		if (write(table.end, frame, tap_frame(frame, 60, 3)) < 0)
			assert_int_equal(errno, ENOBUFS);
	}
	fake_settle(rig->host);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fake_run_once(rig->host, 0), 0);
	rig_fill(rig, 0, 100, 200);
	tap_receive(rig, 0);
	assert_int_equal(rig->frame[59], 3);
	tap_close(&table);
}

/* Virtio 1.2, 5.1.6.4.1. */
static void what_was_not_negotiated_is_not_in_the_header(void **state)
{
	static const uint64_t features[] = {TAP_MERGE, FAKE_VIRTIO_ALL};

	(void)state;
	read_flags = DATA_VALID;
	for (uint32_t i = 0; i < 2; i++) {
		struct table table =
			tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), features[i]);

		tap_carries(&table, 60);
		assert_int_equal(table.rig->hdr[0], i ? DATA_VALID : 0);
		tap_close(&table);
	}
	read_flags = 0;
}

/* Virtio 1.2, 5.1.4.1. */
static void frames_beyond_the_mtu_are_dropped(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "mtu=1000"), FAKE_VIRTIO_ALL);
	struct rig *rig = table.rig;

	(void)state;
	rig_fill(rig, 0, 16, 2048);
	tap_host_send(table.end, 14 + 1000 + 5, 0x11);
	tap_host_send(table.end, 14 + 1000 + 4, 0x22);
	tap_receive(rig, 0);
	assert_int_equal(rig->frame[500], 0x22);
	tap_close(&table);
}

static void segments_beyond_the_mtu_are_no_frames_of_that_length(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "mtu=1000"), FAKE_VIRTIO_ALL);

	(void)state;
	rig_fill(table.rig, 0, 16, 2048);
	read_gso = GSO_TCPV4;
	tap_host_send(table.end, 14 + 1000 + 5, 0x11);
	tap_receive(table.rig, 0);
	assert_int_equal(table.rig->frame[500], 0x11);
	read_gso = 0;
	tap_close(&table);
}

static void frames_beyond_the_mtu_are_dropped_however_their_header_is_cut(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "mtu=1000"), FAKE_VIRTIO_ALL);
	struct fake_virtio *driver = &table.rig->driver;
	uint32_t used;

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t base = fake_virtio_alloc(driver, 2048, 1);
		const struct fake_virtio_buffer pieces[] = {{base, 1, 1}, {base + 2, 2046, 1}};

		fake_virtio_add(driver, 0, pieces, 2, 0);
	}
	rig_kick_rx(table.rig, 0);
	tap_host_send(table.end, 14 + 1000 + 5, 0x11);
	tap_host_send(table.end, 14 + 1000 + 4, 0x22);
	do {
		used = fake_virtio_wait(driver, 0, NULL);
		assert_int_not_equal(used, 12 + 14 + 1000 + 5);
	} while (used != 12 + 14 + 1000 + 4);
	tap_close(&table);
}

/* Buffers that the device has popped before are not written to either. */
static void p8_without_bus_master_nothing_is_received(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	struct rig *rig = table.rig;

	(void)state;
	tap_carries(&table, 60);
	fake_settle(rig->host);
	while (rig_take(rig, 0))
		;
	fake_pci_command(&rig->driver.pci, FAKE_PCI_CMD_BUS_MASTER, 0);
	tap_host_send(table.end, 1000, 0x77);
	fake_settle(rig->host);
	for (uint32_t head = 0; head < 256; head++) {
		const uint8_t *buffer = fake_ram(rig->host, rig->gpas[0][head], 1000);

		assert_true(!rig->gpas[0][head] || buffer[500] != 0x77);
	}
	fake_pci_command(&rig->driver.pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	tap_receive(rig, 0);
	assert_int_equal(rig->frame[500], 0x77);
	tap_carries(&table, 60);
	tap_close(&table);
}

/* Frames that waited for an earlier driver may be in a form that this one did not accept. */
static void frames_for_an_earlier_driver_are_dropped(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), FAKE_VIRTIO_ALL);

	(void)state;
	fake_virtio_reset(&table.rig->driver);
	tap_host_send(table.end, 60, 1);
	fake_virtio_init(&table.rig->driver, RIG_PLAIN);
	rig_fill(table.rig, 0, 16, 2048);
	tap_host_send(table.end, 60, 2);
	tap_receive(table.rig, 0);
	assert_int_equal(table.rig->frame[59], 2);
	tap_close(&table);
}

static void n12_floods_both_ways_with_resets(void **state)
{
	struct table table = tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7"), TAP_MERGE);
	uint8_t out[12 + 60] = {0};

	(void)state;
	tap_frame(out + 12, 60, 4);
	for (int round = 0; round < 30; round++) {
		struct rig *rig = table.rig;
		struct fake_virtio_buffer frame = {
			fake_virtio_put(&rig->driver, out, sizeof(out)), sizeof(out), 0};

		for (int i = 0; i < 100; i++) {
			(void)!write(table.end, out + 12, 60);
			fake_virtio_add(&rig->driver, 1, &frame, 1, 0);
			rig_post(rig, 0, 30 + 10 * (uint32_t)round);
		}
		fake_virtio_kick(&rig->driver, 0);
		fake_virtio_kick(&rig->driver, 1);
		fake_run_once(rig->host, 0);
		fake_virtio_init(&rig->driver, TAP_MERGE);
	}
	tap_carries(&table, 60);
	tap_close(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_pass_both_ways),
		cmocka_unit_test(an_inherited_fd_is_used),
		cmocka_unit_test(h11_taps_that_cannot_be_used_are_named),
		cmocka_unit_test(n5_device_that_goes_down_and_up),
		cmocka_unit_test(h11_deleted_device_is_a_pulled_cable),
		cmocka_unit_test(n5_full_device_is_waited_for),
		cmocka_unit_test(n5_errors_of_a_write_cost_one_frame),
		cmocka_unit_test(n4_what_the_tap_refuses_is_dropped),
		cmocka_unit_test(n7_frame_over_several_buffers_or_none),
		cmocka_unit_test(n6_frame_that_does_not_fit_is_dropped),
		cmocka_unit_test(n8_flood_without_buffers),
		cmocka_unit_test(what_was_not_negotiated_is_not_in_the_header),
		cmocka_unit_test(frames_beyond_the_mtu_are_dropped),
		cmocka_unit_test(segments_beyond_the_mtu_are_no_frames_of_that_length),
		cmocka_unit_test(frames_beyond_the_mtu_are_dropped_however_their_header_is_cut),
		cmocka_unit_test(p8_without_bus_master_nothing_is_received),
		cmocka_unit_test(frames_for_an_earlier_driver_are_dropped),
		cmocka_unit_test(n12_floods_both_ways_with_resets),
	};

	if (!tap_possible())
		return TAP_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
