/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See tap_rig.h.
 */
#include "tap_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"

#define TYPE 0x88b5 /* for experiments: nothing else on the device uses it */

/* Why there are no taps here, or NULL. */
static const char *no_tap(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd, ret;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return "no network namespace can be made";
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "/dev/net/tun cannot be opened";
	ret = ioctl(fd, TUNSETIFF, &request);
	close(fd);
	return ret < 0 ? "no tap device can be made" : NULL;
}

static int inet(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static struct ifreq named(void)
{
	return (struct ifreq){.ifr_name = "tap7"};
}

void tap_set_up(bool up)
{
	struct ifreq request = named();
	int fd = inet();

	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	if (up)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= (short)~IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* ip link delete */
void tap_delete(void)
{
	struct ifreq request = named();
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} message = {.header = {.nlmsg_len = sizeof(message),
			     .nlmsg_type = RTM_DELLINK,
			     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &request), 0);
	message.info.ifi_index = request.ifr_ifindex;
	assert_int_equal(send(fd, &message, sizeof(message), 0), sizeof(message));
	assert_true(recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer.header));
	assert_int_equal(answer.error.error, 0);
	close(fd);
}

/* A packet socket on the device. */
static int host_end(void)
{
	struct ifreq request = named();
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(TYPE)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(TYPE));

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &request), 0);
	at.sll_ifindex = request.ifr_ifindex;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

uint32_t tap_frame(uint8_t *frame, uint32_t bytes, uint8_t fill)
{
	static const uint8_t host[6] = {2, 0, 0, 0, 0, 1};

	memset(frame, fill, bytes);
	memcpy(frame, frame_mac, 6);
	memcpy(frame + 6, host, 6);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	return bytes;
}

void tap_host_send(int end, uint32_t bytes, uint8_t fill)
{
	uint8_t frame[2048];

	assert_int_equal(write(end, frame, tap_frame(frame, bytes, fill)), bytes);
}

bool tap_is_ours(const struct rig *rig)
{
	return rig->data >= 14 && rig->frame[12] == TYPE >> 8 && rig->frame[13] == (TYPE & 0xff);
}

void tap_receive(struct rig *rig, uint32_t pair)
{
	do
		rig_receive(rig, pair);
	while (!tap_is_ours(rig));
}

struct table tap_open(const char *const *options, uint64_t features)
{
	struct table table = {.rig = rig_open(options, features)};

	tap_set_up(true);
	table.end = host_end();
	return table;
}

void tap_close(struct table *table)
{
	close(table->end);
	rig_close(table->rig);
}

uint64_t tap_link(struct rig *rig)
{
	return fake_virtio_config_read(&rig->driver, RIG_CONFIG_STATUS, 2);
}

/* Takes off frames, and the error that the device was down. */
static void drain(int end)
{
	uint8_t frame[2048];

	while (recv(end, frame, sizeof(frame), 0) >= 0 || errno != EAGAIN)
		;
}

void tap_carries(struct table *table, uint32_t bytes)
{
	uint8_t frame[2048], seen[2048];

	rig_fill(table->rig, 0, 8, 2048);
	drain(table->end);
	tap_host_send(table->end, bytes, 0x5a);
	tap_receive(table->rig, 0);
	assert_int_equal(table->rig->data, bytes);
	assert_int_equal(table->rig->frame[bytes - 1], 0x5a);
	drain(table->end);
	tap_frame(frame, bytes, 0xa5);
	rig_send(table->rig, frame, bytes);
	assert_int_equal(recv(table->end, seen, sizeof(seen), 0), bytes);
	assert_memory_equal(seen, frame, bytes);
}

int tap_fd(short flags)
{
	struct ifreq request = named();
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	request.ifr_flags = flags;
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

int tap_possible(void)
{
	const char *why = no_tap();

	if (why)
		fprintf(stderr, "skipped: %s\n", why);
	return !why;
}
