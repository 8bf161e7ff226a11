/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of virtio-net.so: what is refused, with what text, and what the guest sees of them.
 */
#include "rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void refuses(const char *text, const char *const *options)
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

static void options_that_do_not_go_together_are_refused(void **state)
{
	static const char *const cases[][6] = {
		{"queue_size is 100; expected a power of 2", "queue_size=100"},
		{"mac is a group address", "mac=53:54:00:12:34:56"},
		{"mac is all zero", "mac=00:00:00:00:00:00"},
		{"queues above 1 need backend = \"tap\"", "queues=2"},
		{"queues above 1 need backend = \"tap\"", "queues=2", "backend=none"},
		{"needs either ifname or fd", "backend=tap"},
		{"needs either ifname or fd", "backend=tap", "ifname=tap0", "fd=0"},
		{"an fd is one queue", "backend=tap", "fd=0", "queues=2"},
		{"ifname and fd go with backend = \"tap\"", "ifname=tap0"},
		{"ifname and fd go with backend = \"tap\"", "backend=none", "fd=0"},
		{"vhost goes with backend = \"tap\"", "vhost=on"},
		{"go with backend = \"user\"", "backend=none",
			"hostfwd=({host_port=1, guest_port=1})"},
		{"go with backend = \"user\"", "backend=none", "network=10.0.0.0/24"},
		{"go with backend = \"user\"", "backend=none", "restrict=true"},
		{"go with backend = \"user\"", "backend=none", "offload=true"},
		{"mtu", "mtu=67"},
		{"mtu", "mtu=65522"},
		{"queues", "queues=9"},
		{"queue_size", "queue_size=8"},
		{"queue_size", "queue_size=2048"},
		{"ifname", "backend=tap", "ifname=sixteencharacter"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuses(cases[i][0], &cases[i][1]);
}

static void a_network_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"", "10.0.2.0", "/24", "10.0.2.0/", "10.0.2.0/+24",
		"10.0.2.0/24x", "10.0.2.0/28", "10.0.2.0/7", "10.0.2.1/24", "10.0.2/24",
		"10.0.2.0/99999999999999999999", "100.100.100.100.100/24", "fec0::/64"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char option[64], text[96];

		snprintf(option, sizeof(option), "network=%s", bad[i]);
		snprintf(text, sizeof(text), "network is \"%s\"; expected an IPv4 network", bad[i]);
		refuses(text, FAKE_OPTIONS(option));
	}
}

static void forwards_with_bad_addresses_are_refused(void **state)
{
	(void)state;
	refuses("host_addr is \"here\"; expected an IPv4 address",
		FAKE_OPTIONS("hostfwd=({host_addr=\"here\", host_port=2222, guest_port=22})"));
	refuses("guest_addr is \"guest\"; expected an IPv4 address in network",
		FAKE_OPTIONS("hostfwd=({guest_addr=\"guest\", host_port=2222, guest_port=22})"));
	refuses("guest_addr is \"10.9.9.9\"; expected an IPv4 address in network",
		FAKE_OPTIONS("hostfwd=({guest_addr=\"10.9.9.9\", host_port=2222, guest_port=22})"));
}

static void a_port_in_use_is_named(void **state)
{
	static const char *const protos[] = {"tcp", "udp"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, i ? SOCK_DGRAM : SOCK_STREAM, 0);
		struct sockaddr_in at = {.sin_family = AF_INET};
		socklen_t bytes = sizeof(at);
		char option[96], text[96];

		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
		if (!i)
			assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
		snprintf(option, sizeof(option),
			"hostfwd=({proto=%s, host_port=%u, guest_port=22})", protos[i],
			ntohs(at.sin_port));
		snprintf(text, sizeof(text),
			"cannot listen on %s port %u of 127.0.0.1: Address already in use",
			protos[i], ntohs(at.sin_port));
		refuses(text, FAKE_OPTIONS(option));
		close(fd);
	}
}

static void an_fd_that_is_no_tap_is_refused(void **state)
{
	(void)state;
	refuses("fd 0 is not an open tap device", FAKE_OPTIONS("backend=tap", "fd=0"));
}

static uint64_t mac_of(struct rig *rig)
{
	uint64_t mac = 0;

	for (uint32_t i = 0; i < 6; i++)
		mac = mac << 8 | fake_virtio_config_read(&rig->driver, i, 1);
	return mac;
}

static void the_guest_sees_mac_mtu_and_link(void **state)
{
	struct rig *rig = rig_open(
		FAKE_OPTIONS("mac=52:54:00:aa:bb:cc", "mtu=9000", "queue_size=512"), RIG_PLAIN);

	(void)state;
	assert_int_equal(mac_of(rig), 0x525400aabbcc);
	assert_int_equal(fake_virtio_config_read(&rig->driver, RIG_CONFIG_STATUS, 2), 1);
	assert_int_equal(fake_virtio_config_read(&rig->driver, 10, 2), 9000);
	assert_true(fake_virtio_offered(&rig->driver) & RIG_F_MTU);
	assert_false(fake_virtio_offered(&rig->driver) & (RIG_F_MQ | RIG_F_CTRL_VQ | RIG_F_CSUM));
	assert_int_equal(rig->driver.queue_count, 2);
	rig_close(rig);
}

static void the_largest_mtu_works_with_every_back_end(void **state)
{
	(void)state;
	rig_close(rig_open(FAKE_OPTIONS("mtu=65521"), RIG_PLAIN));
	rig_close(rig_open(FAKE_OPTIONS("mtu=68"), RIG_PLAIN));
	rig_close(rig_open(FAKE_OPTIONS("mtu=65521", "backend=none"), RIG_PLAIN));
}

static void a_made_mac_is_local_and_the_same_at_each_start(void **state)
{
	uint64_t first, second;
	struct rig *rig = rig_open(NULL, RIG_PLAIN);

	(void)state;
	first = mac_of(rig);
	assert_false(fake_virtio_offered(&rig->driver) & RIG_F_MTU);
	rig_close(rig);
	rig = rig_open(NULL, RIG_PLAIN);
	second = mac_of(rig);
	rig_close(rig);
	assert_int_equal(first, second);
	assert_int_equal(first >> 24, 0x525400);
}

static void without_a_cable_the_link_is_down_and_frames_are_dropped(void **state)
{
	static const char *const how[] = {"link=false", "backend=none"};
	const uint8_t frame[60] = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig *rig = rig_open(FAKE_OPTIONS(how[i]), RIG_PLAIN);

		assert_int_equal(fake_virtio_config_read(&rig->driver, RIG_CONFIG_STATUS, 2), 0);
		rig_fill(rig, 0, 4, 2048);
		rig_send(rig, frame, sizeof(frame));
		fake_settle(rig->host);
		assert_int_equal(rig_take(rig, 0), 0);
		rig_close_counts(rig, "frames to the guest 0 (dropped 0), from it 0 (dropped 1)");
	}
}

/* Each call of a host service on the way to a started device fails once. */
static void a_host_that_fails_leaves_nothing_behind(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 40; n++) {
		struct rig *rig = rig_host(0);
		int hit;

		fake_host_fail_after(rig->host, n);
		if (fake_device_add(rig->host, "virtio-net", "net0", FAKE_OPTIONS("transport=v0"),
			    NULL) == 0)
			(void)fake_host_start(rig->host);
		hit = fake_host_fault_hit(rig->host);
		fake_host_fail_after(rig->host, 0);
		rig_close(rig);
		if (!hit)
			return;
	}
	fail_msg("more calls than expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_that_do_not_go_together_are_refused),
		cmocka_unit_test(a_network_that_is_none_is_refused),
		cmocka_unit_test(forwards_with_bad_addresses_are_refused),
		cmocka_unit_test(a_port_in_use_is_named),
		cmocka_unit_test(an_fd_that_is_no_tap_is_refused),
		cmocka_unit_test(the_guest_sees_mac_mtu_and_link),
		cmocka_unit_test(the_largest_mtu_works_with_every_back_end),
		cmocka_unit_test(a_made_mac_is_local_and_the_same_at_each_start),
		cmocka_unit_test(without_a_cable_the_link_is_down_and_frames_are_dropped),
		cmocka_unit_test(a_host_that_fails_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
