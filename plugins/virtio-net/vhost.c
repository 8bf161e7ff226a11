/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets up vhost-net (linux/vhost.h) for the queues of a device.
 */
#include "vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RANGES_MAX 16u

/* Feature bits of the ring that vhost has to know; offloads are the tap's. */
#define VHOST_FEATURES                                                                             \
	(VMM_VIRTIO_F_VERSION_1 | VMM_VIRTIO_F_INDIRECT_DESC | VMM_VIRTIO_F_EVENT_IDX |            \
		NET_F_MRG_RXBUF)

struct vhost {
	struct net *net;
	int fds[NET_PAIRS_MAX];
	uint32_t count;
	uint64_t features; /* of the kernel, common to all */
	bool given[2 * NET_PAIRS_MAX];
	uint32_t next[2 * NET_PAIRS_MAX]; /* entry to start from */
};

void vhost_close(struct vhost *vhost)
{
	if (!vhost)
		return;
	for (uint32_t i = 0; i < vhost->count; i++)
		close(vhost->fds[i]);
	free(vhost);
}

static int32_t open_one(struct vhost *vhost, struct vmm_error *error)
{
	struct net *net = vhost->net;
	struct vmm_file_open req = {
		.struct_size = sizeof(req),
		.path = "/dev/vhost-net",
		.kinds = VMM_FILE_CHAR,
		.error = error,
	};
	uint64_t features;
	int32_t ret = net->file.open(net->host, &req, &vhost->fds[vhost->count]);

	if (ret < 0)
		return ret;
	vhost->count++;
	if (ioctl(vhost->fds[vhost->count - 1], VHOST_SET_OWNER) < 0 ||
		ioctl(vhost->fds[vhost->count - 1], VHOST_GET_FEATURES, &features) < 0) {
		vmm_set_error(error, "vhost-net: %s", strerror(errno));
		return VMM_E_IO;
	}
	vhost->features &= features;
	return 0;
}

int32_t vhost_open(struct net *net, struct vhost **ret_vhost, struct vmm_error *error)
{
	struct vhost *vhost = calloc(1, sizeof(*vhost));
	int32_t ret = 0;

	if (!vhost)
		return VMM_E_NOMEM;
	vhost->net = net;
	vhost->features = UINT64_MAX;
	while (ret == 0 && vhost->count < net->pairs_max)
		ret = open_one(vhost, error);
	if (ret < 0) {
		vhost_close(vhost);
		return ret;
	}
	*ret_vhost = vhost;
	return 0;
}

/* All of RAM, as this process has it mapped. */
static int set_memory(struct vhost *vhost, int fd)
{
	struct net *net = vhost->net;
	struct vmm_ram_range ranges[RANGES_MAX];
	int32_t count = net->memory.ranges(net->host, VMM_SPACE_SYSTEM, ranges, RANGES_MAX);
	struct vhost_memory *table;
	int ret;

	if (count < 0 || count > (int32_t)RANGES_MAX)
		return -1;
	table = calloc(1, sizeof(*table) + (size_t)count * sizeof(table->regions[0]));
	if (!table)
		return -1;
	table->nregions = (uint32_t)count;
	for (int32_t i = 0; i < count; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = ranges[i].gpa.value,
			.memory_size = ranges[i].bytes,
			.userspace_addr = (uintptr_t)ranges[i].base,
		};
	ret = ioctl(fd, VHOST_SET_MEM_TABLE, table);
	free(table);
	return ret;
}

static int set_ring(int fd, uint32_t index, const struct vmm_virtio_ring *ring)
{
	struct vhost_vring_state size = {.index = index, .num = ring->queue_size};
	struct vhost_vring_state base = {.index = index, .num = ring->next_available};
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	struct vhost_vring_file kick = {.index = index, .fd = ring->kick_fd};
	struct vhost_vring_file call = {.index = index, .fd = ring->call_fd};

	if (ioctl(fd, VHOST_SET_VRING_NUM, &size) < 0 ||
		ioctl(fd, VHOST_SET_VRING_BASE, &base) < 0 ||
		ioctl(fd, VHOST_SET_VRING_ADDR, &addr) < 0 ||
		ioctl(fd, VHOST_SET_VRING_KICK, &kick) < 0)
		return -1;
	return ioctl(fd, VHOST_SET_VRING_CALL, &call);
}

static void take_back(struct vhost *vhost, uint32_t pair)
{
	struct net *net = vhost->net;

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t queue = 2 * pair + i;
		struct vhost_vring_file none = {.index = i, .fd = -1};
		/* Where the kernel cannot tell, it has not begun. */
		struct vhost_vring_state base = {.index = i, .num = vhost->next[queue]};

		if (!vhost->given[queue])
			continue;
		vhost->given[queue] = false;
		ioctl(vhost->fds[pair], VHOST_NET_SET_BACKEND, &none);
		ioctl(vhost->fds[pair], VHOST_GET_VRING_BASE, &base);
		net->virtio.ring_take(net->transport, net->device, queue, base.num);
	}
}

static int32_t give(struct vhost *vhost, uint32_t pair, int tap_fd)
{
	struct net *net = vhost->net;
	uint64_t features = net->features & VHOST_FEATURES;
	int fd = vhost->fds[pair];

	if ((features & vhost->features) != features ||
		ioctl(fd, VHOST_SET_FEATURES, &features) < 0 || set_memory(vhost, fd) < 0)
		return VMM_E_UNSUPPORTED;
	for (uint32_t i = 0; i < 2; i++) {
		struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
		struct vhost_vring_file file = {.index = i, .fd = tap_fd};
		int32_t ret =
			net->virtio.ring_give(net->transport, net->device, 2 * pair + i, &ring);

		if (ret < 0)
			return ret;
		vhost->given[2 * pair + i] = true;
		vhost->next[2 * pair + i] = ring.next_available;
		if (set_ring(fd, i, &ring) < 0 || ioctl(fd, VHOST_NET_SET_BACKEND, &file) < 0)
			return VMM_E_IO;
	}
	return 0;
}

int32_t vhost_start(struct vhost *vhost, const int *tap_fds, uint32_t pairs)
{
	int32_t ret = 0;

	for (uint32_t i = 0; ret == 0 && i < pairs; i++)
		ret = give(vhost, i, tap_fds[i]);
	if (ret < 0)
		vhost_stop(vhost);
	return ret;
}

void vhost_stop(struct vhost *vhost)
{
	for (uint32_t i = 0; i < vhost->count; i++)
		take_back(vhost, i);
}
