/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net.so: options and description.
 */
#include "net.h"

static const char *const backend_names[] = {"user", "tap", "none"};
static const char *const vhost_names[] = {"auto", "on", "off"};
static const char *const proto_names[] = {"tcp", "udp"};

#define OPTION(...)                                                                                \
	(&(const struct vmm_option){.struct_size = sizeof(struct vmm_option), __VA_ARGS__})

/* In the order of enum net_hostfwd in user.c. */
static const struct vmm_option *const hostfwd_members[] = {
	OPTION(.name = "proto", .type = VMM_OPT_ENUM, .default_text = "tcp",
		.enum_names = proto_names, .enum_count = 2, .doc = "protocol"),
	OPTION(.name = "host_addr", .type = VMM_OPT_STRING, .default_text = "127.0.0.1",
		.doc = "address of this machine to listen on"),
	OPTION(.name = "host_port", .type = VMM_OPT_UINT, .flags = VMM_OPT_REQUIRED, .min = 1,
		.max = 65535, .doc = "port of this machine to listen on"),
	OPTION(.name = "guest_addr", .type = VMM_OPT_STRING, .default_text = "",
		.doc = "address of the guest; empty: the first that DHCP gives out"),
	OPTION(.name = "guest_port", .type = VMM_OPT_UINT, .flags = VMM_OPT_REQUIRED, .min = 1,
		.max = 65535, .doc = "port of the guest"),
};

static const struct vmm_option *const hostfwd_element[] = {
	OPTION(.name = "forward", .type = VMM_OPT_GROUP, .members = hostfwd_members,
		.member_count = sizeof(hostfwd_members) / sizeof(hostfwd_members[0]),
		.doc = "one port"),
};

static const struct vmm_option *const options[NET_OPT_COUNT] = {
	[NET_OPT_TRANSPORT] = OPTION(.name = "transport", .type = VMM_OPT_REF,
		.flags = VMM_OPT_REQUIRED, .interface_id = VMM_VIRTIO_ID,
		.doc = "the virtio transport that the card sits on"),
	[NET_OPT_BACKEND] = OPTION(.name = "backend", .type = VMM_OPT_ENUM, .default_text = "user",
		.enum_names = backend_names, .enum_count = 3,
		.doc = "where frames go: a network inside of vmm, a tap device, or nowhere"),
	[NET_OPT_MAC] = OPTION(.name = "mac", .type = VMM_OPT_MAC,
		.doc = "hardware address; made from the device's id if not given"),
	[NET_OPT_MTU] = OPTION(.name = "mtu", .type = VMM_OPT_UINT, .min = 68, .max = 65521,
		.unit = "bytes", .doc = "largest packet that the guest is told to send"),
	[NET_OPT_LINK] = OPTION(.name = "link", .type = VMM_OPT_BOOL, .default_text = "true",
		.doc = "whether the cable is plugged in"),
	[NET_OPT_QUEUES] = OPTION(.name = "queues", .type = VMM_OPT_UINT, .default_text = "1",
		.min = 1, .max = NET_PAIRS_MAX,
		.doc = "pairs of queues; more than 1 with a tap only"),
	[NET_OPT_QUEUE_SIZE] =
		OPTION(.name = "queue_size", .type = VMM_OPT_UINT, .default_text = "256", .min = 16,
			.max = 1024, .doc = "descriptors in each queue; a power of 2"),
	[NET_OPT_NETWORK] = OPTION(.name = "network", .type = VMM_OPT_STRING,
		.default_text = "10.0.2.0/24",
		.doc = "user: network of the guest; host .2, name server .3, guest from .15 on"),
	[NET_OPT_RESTRICT] = OPTION(.name = "restrict", .type = VMM_OPT_BOOL,
		.default_text = "false",
		.doc = "user: the guest reaches neither this machine nor others; forwards work"),
	[NET_OPT_HOSTFWD] = OPTION(.name = "hostfwd", .type = VMM_OPT_LIST,
		.members = hostfwd_element, .member_count = 1, .max = 64,
		.doc = "user: ports of this machine that lead to ports of the guest"),
	[NET_OPT_OFFLOAD] = OPTION(.name = "offload", .type = VMM_OPT_BOOL, .default_text = "false",
		.doc = "user: the guest leaves checksums and cutting of TCP segments to the card"),
	[NET_OPT_IFNAME] = OPTION(.name = "ifname", .type = VMM_OPT_STRING, .min = 1, .max = 15,
		.doc = "tap: name of the device; made if it does not exist"),
	[NET_OPT_FD] = OPTION(.name = "fd", .type = VMM_OPT_FD,
		.doc = "tap: an open tap device that vmm inherited"),
	[NET_OPT_VHOST] = OPTION(.name = "vhost", .type = VMM_OPT_ENUM, .default_text = "auto",
		.enum_names = vhost_names, .enum_count = 3,
		.doc = "tap: have the kernel move frames (vhost-net); auto: if it can"),
	[NET_OPT_SLOT] = OPTION(.name = "slot", .type = VMM_OPT_UINT, .min = 0, .max = 4095,
		.doc = "place on the bus of the transport; the next free one if not given"),
};

static const struct vmm_device_type net_type = {
	.size = sizeof(net_type),
	.name = "virtio-net",
	.summary = "virtio network card on a user-mode network or a tap device",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = NET_OPT_COUNT,
	.ops = &net_device_ops,
	.needs = VMM_NEED_NETWORK | VMM_NEED_TAP,
};

static const struct vmm_device_type *const types[] = {&net_type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "virtio-net",
	.version = "0.2.0",
	.summary = "virtio network card",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "virtio-net", 1);
