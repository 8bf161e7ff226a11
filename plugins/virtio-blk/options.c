/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema and values of the options. Nothing is opened here.
 */
#include "options.h"

#include <string.h>

#include <vmm/support.h>

enum {
	OPT_PATH,
	OPT_TRANSPORT,
	OPT_READONLY,
	OPT_CACHE,
	OPT_DIRECT,
	OPT_AIO,
	OPT_QUEUES,
	OPT_QUEUE_SIZE,
	OPT_SERIAL,
	OPT_BLOCK_SIZE,
	OPT_DISCARD,
	OPT_IOPS,
	OPT_BANDWIDTH,
	OPT_MAX_INFLIGHT,
	OPT_SLOT,
	OPT_COUNT,
};

static const char *const cache_names[] = {"writeback", "writethrough", "unsafe"};
static const char *const aio_names[] = {"auto", "io_uring", "worker"};

#define OPTION(...)                                                                                \
	(&(const struct vmm_option){.struct_size = sizeof(struct vmm_option), __VA_ARGS__})

const struct vmm_option *const blk_option_table[BLK_OPTION_COUNT] = {
	[OPT_PATH] = OPTION(.name = "path", .type = VMM_OPT_PATH, .flags = VMM_OPT_REQUIRED,
		.doc = "the image: a raw file or a block device; its format is never guessed"),
	[OPT_TRANSPORT] = OPTION(.name = "transport", .type = VMM_OPT_REF,
		.flags = VMM_OPT_REQUIRED, .interface_id = VMM_VIRTIO_ID,
		.doc = "the virtio transport that the disk sits on"),
	[OPT_READONLY] = OPTION(.name = "readonly", .type = VMM_OPT_BOOL, .default_text = "false",
		.doc = "the guest cannot write; the image is opened for reading only"),
	[OPT_CACHE] = OPTION(.name = "cache", .type = VMM_OPT_ENUM, .default_text = "writeback",
		.enum_names = cache_names, .enum_count = 3,
		.doc = "when a write is safe: after a flush, when it completes, or never"),
	[OPT_DIRECT] = OPTION(.name = "direct", .type = VMM_OPT_BOOL, .default_text = "false",
		.doc = "bypass the page cache of the host (O_DIRECT)"),
	[OPT_AIO] = OPTION(.name = "aio", .type = VMM_OPT_ENUM, .default_text = "auto",
		.enum_names = aio_names, .enum_count = 3,
		.doc = "how I/O is done; auto is io_uring where the kernel allows it, else worker"),
	[OPT_QUEUES] = OPTION(.name = "queues", .type = VMM_OPT_UINT, .default_text = "1", .min = 1,
		.max = BLK_QUEUES_MAX, .doc = "number of request queues"),
	[OPT_QUEUE_SIZE] = OPTION(.name = "queue_size", .type = VMM_OPT_UINT, .default_text = "256",
		.min = BLK_QUEUE_SIZE_MIN, .max = BLK_QUEUE_SIZE_MAX,
		.doc = "descriptors in each queue; a power of 2"),
	[OPT_SERIAL] = OPTION(.name = "serial", .type = VMM_OPT_STRING, .min = 0, .max = 20,
		.doc = "serial number that the guest sees; the device's id if not given"),
	[OPT_BLOCK_SIZE] = OPTION(.name = "block_size", .type = VMM_OPT_SIZE, .min = 512,
		.max = 4096, .unit = "bytes",
		.doc = "logical block size, a power of 2; 512 or what direct needs if not given"),
	[OPT_DISCARD] = OPTION(.name = "discard", .type = VMM_OPT_BOOL, .default_text = "true",
		.doc = "blocks that the guest discards are given back to the host"),
	[OPT_IOPS] = OPTION(.name = "iops", .type = VMM_OPT_UINT, .default_text = "0", .min = 0,
		.max = 1000000000, .unit = "requests per second",
		.doc = "limit of requests per second; 0 is none"),
	[OPT_BANDWIDTH] = OPTION(.name = "bandwidth", .type = VMM_OPT_SIZE, .default_text = "0",
		.min = 0, .max = 1000000000000, .unit = "bytes per second",
		.doc = "limit of bytes read and written per second; 0 is none"),
	[OPT_MAX_INFLIGHT] = OPTION(.name = "max_inflight", .type = VMM_OPT_SIZE,
		.default_text = "64M", .min = 1 << 20, .max = 1ll << 32, .unit = "bytes",
		.doc = "data of requests in flight at a time; more waits in the guest's queues"),
	[OPT_SLOT] = OPTION(.name = "slot", .type = VMM_OPT_UINT, .min = 0, .max = 4095,
		.doc = "place on the bus of the transport; the next free one if not given"),
};
_Static_assert(OPT_COUNT == BLK_OPTION_COUNT, "options");

static int is_power_of_2(int64_t n)
{
	return (n & (n - 1)) == 0;
}

static int present(const struct vmm_value *value)
{
	return (value->flags & VMM_VALUE_PRESENT) != 0;
}

void blk_options_read(const struct vmm_value *const *values, const char *device_id,
	struct blk_options *ret_options)
{
	const struct vmm_value *serial = values[OPT_SERIAL];
	const struct vmm_value *block_size = values[OPT_BLOCK_SIZE];
	const struct vmm_value *slot = values[OPT_SLOT];

	*ret_options = (struct blk_options){
		.path = values[OPT_PATH]->text,
		.serial = present(serial) ? serial->text : device_id,
		.transport = values[OPT_TRANSPORT],
		.cache = (enum blk_cache)values[OPT_CACHE]->number,
		.aio = (enum blk_aio)values[OPT_AIO]->number,
		.readonly = values[OPT_READONLY]->number != 0,
		.direct = values[OPT_DIRECT]->number != 0,
		.discard = values[OPT_DISCARD]->number != 0,
		.queues = (uint32_t)values[OPT_QUEUES]->number,
		.queue_size = (uint32_t)values[OPT_QUEUE_SIZE]->number,
		.block_size = present(block_size) ? (uint32_t)block_size->number : 0,
		.slot = present(slot) ? (uint32_t)slot->number : VMM_VIRTIO_SLOT_AUTO,
		.iops = (uint64_t)values[OPT_IOPS]->number,
		.bandwidth = (uint64_t)values[OPT_BANDWIDTH]->number,
		.max_inflight_bytes = (uint64_t)values[OPT_MAX_INFLIGHT]->number,
	};
}

int32_t blk_options_validate(const struct vmm_validate_args *args)
{
	const struct vmm_value *queue_size = args->values[OPT_QUEUE_SIZE];
	const struct vmm_value *block_size = args->values[OPT_BLOCK_SIZE];

	if (!is_power_of_2(queue_size->number)) {
		vmm_set_error(args->error, "queue_size is %lld; it must be a power of 2",
			(long long)queue_size->number);
		return VMM_E_INVAL;
	}
	if (present(block_size) && !is_power_of_2(block_size->number)) {
		vmm_set_error(args->error, "block_size is %lld; it must be 512, 1024, 2048 or 4096",
			(long long)block_size->number);
		return VMM_E_INVAL;
	}
	return 0;
}
