/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-rng: an entropy device (virtio 1.2, 5.4) that fills the guest's buffers from getrandom().
 * One queue, no configuration space. It is also the smallest complete virtio device: a good place
 * to start reading before writing another.
 *
 * A guest could keep the loop busy with it, so a request gets at most 64 KiB, and `rate` limits the
 * bytes of a second: when they are used up, the request goes back to its queue and a timer has the
 * queue looked at again.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <vmm/support.h>

#define DEVICE_ID     4u
#define CLASS_CODE    0xff0000u /* no class fits */
#define QUEUE_SIZE    64u
#define IOV_MAX_BUFS  64u /* a chain is no longer than the queue */
#define REQUEST_BYTES 65536u
#define SECOND_NS     1000000000ull
#define TICKS         10u /* of the rate limit, in a second */

enum {
	OPTION_TRANSPORT,
	OPTION_RATE,
	OPTION_SLOT,
};

struct rng {
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *id;
	const struct vmm_value *const *values;
	struct vmm_loop loop;
	struct vmm_virtio virtio;
	void *transport;
	uint64_t device;
	int attached;

	/* The rate limit; the loop's. */
	uint64_t rate;  /* bytes in a second; 0: no limit */
	uint64_t left;  /* bytes in this tick */
	uint64_t timer; /* ends the tick */
	int has_timer;
	int ticking;
};

/* Fills what the guest lets us write, at most `most` bytes; returns how many. */
static uint64_t fill(const struct vmm_virtio_chain *chain, uint64_t most)
{
	uint64_t written = 0;

	for (uint32_t i = 0; i < chain->writable && written < most; i++) {
		const struct vmm_iovec *iov = &chain->iov[chain->readable + i];
		uint64_t bytes = iov->bytes < most - written ? iov->bytes : most - written;
		uint64_t done = 0;

		while (done < bytes) {
			ssize_t got =
				getrandom((char *)iov->base + done, bytes - done, GRND_NONBLOCK);

			if (got > 0)
				done += (uint64_t)got;
			else if (errno != EINTR)
				return written + done;
		}
		written += bytes;
	}
	return written;
}

/* Starts a tick if none runs. False: there is no timer, and so no limit. */
static int tick(struct rng *rng)
{
	uint64_t now;

	if (rng->ticking)
		return 1;
	now = rng->loop.now(rng->host, VMM_CLOCK_HOST);
	if (rng->loop.timer_arm(rng->host, rng->timer, now + SECOND_NS / TICKS) < 0)
		return 0;
	rng->ticking = 1;
	rng->left = (rng->rate + TICKS - 1) / TICKS;
	return 1;
}

static void tick_end_cb(void *ctx)
{
	struct rng *rng = ctx;

	rng->ticking = 0;
	if (!rng->left)
		rng->virtio.kick(rng->transport, rng->device, 0);
}

static int32_t activate(void *ctx, uint64_t features)
{
	(void)ctx;
	(void)features;
	return 0;
}

static void notify(void *ctx, uint32_t queue)
{
	struct rng *rng = ctx;
	struct vmm_iovec iov[IOV_MAX_BUFS];
	struct vmm_virtio_chain chain = {
		.struct_size = sizeof(chain), .iov = iov, .iov_max = IOV_MAX_BUFS};

	while (rng->virtio.pop(rng->transport, rng->device, queue, &chain) > 0) {
		uint64_t most = REQUEST_BYTES;
		uint64_t written;

		if (rng->rate && tick(rng)) {
			if (!rng->left) {
				rng->virtio.unpop(rng->transport, rng->device, queue, chain.id);
				return;
			}
			most = rng->left < most ? rng->left : most;
		}
		written = fill(&chain, most);
		rng->left -= written < rng->left ? written : rng->left;
		rng->virtio.push(rng->transport, rng->device, queue, chain.id, written);
	}
}

static int32_t reset(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct rng *rng = calloc(1, sizeof(*rng));
	int32_t ret;

	if (!rng) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	rng->hello = args->hello;
	rng->host = args->host;
	rng->id = args->device_id;
	rng->values = args->values;
	rng->rate = (uint64_t)args->values[OPTION_RATE]->number;
	ret = vmm_query(rng->hello, rng->host, VMM_LOOP_ID, sizeof(rng->loop), &rng->loop,
		sizeof(rng->loop), args->error);
	if (ret < 0) {
		free(rng);
		return ret;
	}
	*ret_ctx = rng;
	return 0;
}

static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct rng *rng = ctx;

	return vmm_query_ref(rng->hello, rng->host, rng->values[OPTION_TRANSPORT], VMM_VIRTIO_ID,
		sizeof(rng->virtio), &rng->virtio, sizeof(rng->virtio), &rng->transport, error);
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	static const uint16_t queue_sizes[] = {QUEUE_SIZE};
	struct rng *rng = ctx;
	const struct vmm_value *slot = rng->values[OPTION_SLOT];
	const uint64_t loop = rng->loop.own(rng->host);
	const struct vmm_virtio_device device = {
		.struct_size = sizeof(device),
		.owner = rng->host,
		.name = rng->id,
		.loop = loop,
		.device_id = DEVICE_ID,
		.queue_count = 1,
		.queue_sizes = queue_sizes,
		.slot = slot->flags & VMM_VALUE_PRESENT ? (uint32_t)slot->number
							: VMM_VIRTIO_SLOT_AUTO,
		.class_code = CLASS_CODE,
		.ops = &virtio_ops,
		.ctx = rng,
		.error = error,
	};
	int32_t ret;

	if (rng->rate) {
		ret = rng->loop.timer_add(
			rng->host, loop, VMM_CLOCK_HOST, tick_end_cb, rng, &rng->timer);
		if (ret < 0) {
			vmm_set_error(
				error, "no timer for the rate limit: %s", vmm_error_text(ret));
			return ret;
		}
		rng->has_timer = 1;
	}
	ret = rng->virtio.attach(rng->transport, &device, &rng->device);
	rng->attached = ret >= 0;
	return ret;
}

static void unrealize(void *ctx)
{
	struct rng *rng = ctx;

	if (rng->attached)
		rng->virtio.detach(rng->transport, rng->device);
	if (rng->has_timer)
		rng->loop.timer_remove(rng->host, rng->timer);
	rng->attached = 0;
	rng->has_timer = 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.bind = bind,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free,
};

static const struct vmm_option option_transport = {
	.struct_size = sizeof(option_transport),
	.name = "transport",
	.type = VMM_OPT_REF,
	.flags = VMM_OPT_REQUIRED,
	.interface_id = VMM_VIRTIO_ID,
	.doc = "virtio transport that the device sits on",
};

static const struct vmm_option option_rate = {
	.struct_size = sizeof(option_rate),
	.name = "rate",
	.type = VMM_OPT_SIZE,
	.default_text = "0",
	.min = 0,
	.max = 1ll << 40,
	.unit = "bytes per second",
	.doc = "limit of random bytes per second that the guest gets; 0 is none",
};

static const struct vmm_option option_slot = {
	.struct_size = sizeof(option_slot),
	.name = "slot",
	.type = VMM_OPT_UINT,
	.min = 0,
	.max = 4095,
	.doc = "place on the bus of the transport; the next free one if not given",
};

static const struct vmm_option *const options[] = {
	[OPTION_TRANSPORT] = &option_transport,
	[OPTION_RATE] = &option_rate,
	[OPTION_SLOT] = &option_slot,
};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "virtio-rng",
	.summary = "virtio entropy device, fed by the host's getrandom",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "vmm.virtio-rng",
	.version = "0.1.1",
	.summary = "virtio entropy device",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "vmm.virtio-rng", 1);
