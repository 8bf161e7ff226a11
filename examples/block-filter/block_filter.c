/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block-filter: sits between a virtio device and its transport, counts the requests that pass, and
 * delays their completion. It offers the interface that it uses itself, vmm.virtio/1: to the device
 * it is a transport, to the transport a device. Neither can tell.
 *
 * Everything that happens to a device after attach happens on the loop that the device named, so
 * there are no locks; the timer that delays is on that loop, too.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

/* Types of a block request (virtio 1.2, 5.2.6), its first 32 bits. */
#define REQUEST_READ  0u
#define REQUEST_WRITE 1u

enum {
	OPTION_TRANSPORT,
	OPTION_DELAY,
};

struct filter {
	const struct vmm_hello *hello;
	vmm_host *host;
	const struct vmm_value *const *values;
	struct vmm_log log;
	struct vmm_loop loop;
	struct vmm_virtio lower;
	void *transport;
	uint64_t delay_ns;
};

/* A chain that the device has given back and the guest does not have yet. */
struct held {
	uint64_t due_ns;
	uint64_t written;
	uint32_t queue;
	uint32_t id;
};

/* A device behind the filter: the handle that it gets, and the context of what the transport calls.
 */
struct passage {
	struct filter *filter;
	uint64_t device; /* the transport's handle */
	struct vmm_virtio_ops ops;
	void *ctx;
	uint64_t timer;
	int has_timer;
	int resetting; /* from reset to the next activate nothing is held */

	uint64_t reads;
	uint64_t writes;
	uint64_t others;

	/* A ring, the oldest first: as many as the queues have chains. */
	struct held *held;
	uint64_t held_max;
	uint64_t held_first;
	uint64_t held_count;
};

static struct passage *passage_of(uint64_t device)
{
	return (struct passage *)(uintptr_t)device;
}

/*
 * ---- Delay ----
 */

static void arm(struct passage *p)
{
	const struct filter *f = p->filter;

	if (p->held_count)
		f->loop.timer_arm(f->host, p->timer, p->held[p->held_first].due_ns);
}

/* All have the same delay: those that are due are the first. */
static void release_cb(void *ctx)
{
	struct passage *p = ctx;
	const struct filter *f = p->filter;
	const uint64_t now = f->loop.now(f->host, VMM_CLOCK_VM);

	while (p->held_count && p->held[p->held_first].due_ns <= now) {
		const struct held *h = &p->held[p->held_first];

		f->lower.push(f->transport, p->device, h->queue, h->id, h->written);
		f->lower.flush(f->transport, p->device, h->queue);
		p->held_first = (p->held_first + 1) % p->held_max;
		p->held_count--;
	}
	arm(p);
}

static int32_t push(void *object, uint64_t device, uint32_t queue, uint32_t id, uint64_t written)
{
	const struct filter *f = object;
	struct passage *p = passage_of(device);
	struct held *h;

	if (!f->delay_ns || p->resetting || p->held_count == p->held_max)
		return f->lower.push(f->transport, p->device, queue, id, written);
	h = &p->held[(p->held_first + p->held_count) % p->held_max];
	h->due_ns = f->loop.now(f->host, VMM_CLOCK_VM) + f->delay_ns;
	h->written = written;
	h->queue = queue;
	h->id = id;
	p->held_count++;
	if (p->held_count == 1)
		arm(p);
	return 0;
}

/*
 * ---- Counting ----
 */

static void count(struct passage *p, const struct vmm_virtio_chain *chain)
{
	uint32_t type;

	if (!chain->readable || chain->iov[0].bytes < sizeof(type)) {
		p->others++;
		return;
	}
	memcpy(&type, chain->iov[0].base, sizeof(type)); /* the guest may change it: copied once */
	if (type == REQUEST_READ)
		p->reads++;
	else if (type == REQUEST_WRITE)
		p->writes++;
	else
		p->others++;
}

static int32_t pop(void *object, uint64_t device, uint32_t queue, struct vmm_virtio_chain *chain)
{
	const struct filter *f = object;
	struct passage *p = passage_of(device);
	int32_t ret = f->lower.pop(f->transport, p->device, queue, chain);

	if (ret > 0)
		count(p, chain);
	return ret;
}

/*
 * ---- What the transport calls, passed on to the device ----
 */

static int32_t activate(void *ctx, uint64_t features)
{
	struct passage *p = ctx;

	p->resetting = 0;
	return p->ops.activate(p->ctx, features);
}

static void notify(void *ctx, uint32_t queue)
{
	struct passage *p = ctx;

	p->ops.notify(p->ctx, queue);
}

/* Chains need not be given back now, and their numbers mean nothing afterwards. */
static int32_t reset(void *ctx)
{
	struct passage *p = ctx;

	p->resetting = 1;
	p->held_count = 0;
	return p->ops.reset(p->ctx);
}

static void config_written(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config)
{
	struct passage *p = ctx;

	if (p->ops.config_written)
		p->ops.config_written(p->ctx, offset, bytes, config);
}

static const struct vmm_virtio_ops lower_ops = {
	.size = sizeof(lower_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
	.config_written = config_written,
};

/*
 * ---- What the device calls, passed on to the transport ----
 */

static void passage_free(struct passage *p)
{
	const struct filter *f = p->filter;

	if (p->has_timer)
		f->loop.timer_remove(f->host, p->timer);
	free(p->held);
	free(p);
}

static struct passage *passage_make(struct filter *f, const struct vmm_virtio_device *request)
{
	struct passage *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->filter = f;
	p->ctx = request->ctx;
	memcpy(&p->ops, request->ops,
		request->ops->size < sizeof(p->ops) ? request->ops->size : sizeof(p->ops));
	for (uint32_t i = 0; i < request->queue_count; i++)
		p->held_max += request->queue_sizes[i];
	p->held = calloc(p->held_max, sizeof(*p->held));
	p->has_timer = p->held && f->loop.timer_add(f->host, request->loop, VMM_CLOCK_VM,
					  release_cb, p, &p->timer) >= 0;
	if (!p->has_timer) {
		passage_free(p);
		return NULL;
	}
	return p;
}

static int32_t attach(void *object, const struct vmm_virtio_device *request, uint64_t *ret_device)
{
	struct filter *f = object;
	struct vmm_virtio_device below;
	struct passage *p;
	int32_t ret;

	if (request->struct_size < sizeof(below))
		return VMM_E_INVAL;
	/* What a later ABI appends is understood here only while it is all zero. */
	for (uint64_t i = sizeof(below); i < request->struct_size; i++)
		if (((const uint8_t *)request)[i])
			return VMM_E_TOO_NEW;
	if (!request->ops || !request->queue_sizes || !request->queue_count)
		return VMM_E_INVAL;
	p = passage_make(f, request);
	if (!p) {
		vmm_set_error(request->error, "no memory for a filter");
		return VMM_E_NOMEM;
	}
	below = *request;
	below.struct_size = sizeof(below);
	below.ops = &lower_ops;
	below.ctx = p;
	ret = f->lower.attach(f->transport, &below, &p->device);
	if (ret < 0) {
		passage_free(p);
		return ret;
	}
	*ret_device = (uint64_t)(uintptr_t)p;
	return 0;
}

static void detach(void *object, uint64_t device)
{
	const struct filter *f = object;
	struct passage *p = passage_of(device);

	f->lower.detach(f->transport, p->device);
	vmm_logf(&f->log, f->host, VMM_LOG_INFO, "%llu reads, %llu writes, %llu other requests",
		(unsigned long long)p->reads, (unsigned long long)p->writes,
		(unsigned long long)p->others);
	passage_free(p);
}

static int32_t unpop(void *object, uint64_t device, uint32_t queue, uint32_t id)
{
	const struct filter *f = object;

	return f->lower.unpop(f->transport, passage_of(device)->device, queue, id);
}

static void flush(void *object, uint64_t device, uint32_t queue)
{
	const struct filter *f = object;

	f->lower.flush(f->transport, passage_of(device)->device, queue);
}

static void kick(void *object, uint64_t device, uint32_t queue)
{
	const struct filter *f = object;

	f->lower.kick(f->transport, passage_of(device)->device, queue);
}

static int32_t config_update(void *object, uint64_t device, uint32_t offset, const uint8_t *data,
	uint32_t bytes, uint32_t notify_driver)
{
	const struct filter *f = object;

	return f->lower.config_update(
		f->transport, passage_of(device)->device, offset, data, bytes, notify_driver);
}

static void reset_done(void *object, uint64_t device)
{
	const struct filter *f = object;

	f->lower.reset_done(f->transport, passage_of(device)->device);
}

static void fail(void *object, uint64_t device)
{
	const struct filter *f = object;

	f->lower.fail(f->transport, passage_of(device)->device);
}

/* A kernel's back end would pass by without being counted. */
static int32_t ring_give(
	void *object, uint64_t device, uint32_t queue, struct vmm_virtio_ring *ret_ring)
{
	(void)object;
	(void)device;
	(void)queue;
	(void)ret_ring;
	return VMM_E_UNSUPPORTED;
}

static int32_t ring_take(void *object, uint64_t device, uint32_t queue, uint32_t next_available)
{
	(void)object;
	(void)device;
	(void)queue;
	(void)next_available;
	return VMM_E_UNSUPPORTED;
}

static const struct vmm_virtio upper_table = {
	.size = sizeof(upper_table),
	.attach = attach,
	.detach = detach,
	.pop = pop,
	.unpop = unpop,
	.push = push,
	.flush = flush,
	.kick = kick,
	.config_update = config_update,
	.reset_done = reset_done,
	.fail = fail,
	.ring_give = ring_give,
	.ring_take = ring_take,
};

/*
 * ---- What the core calls ----
 */

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct filter *f = calloc(1, sizeof(*f));
	int32_t ret;

	if (!f) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	f->hello = args->hello;
	f->host = args->host;
	f->values = args->values;
	f->delay_ns = (uint64_t)args->values[OPTION_DELAY]->number;
	ret = vmm_query(args->hello, args->host, VMM_LOG_ID, sizeof(f->log), &f->log,
		sizeof(f->log), args->error);
	if (ret >= 0)
		ret = vmm_query(args->hello, args->host, VMM_LOOP_ID, sizeof(f->loop), &f->loop,
			sizeof(f->loop), args->error);
	if (ret < 0) {
		free(f);
		return ret;
	}
	*ret_ctx = f;
	return 0;
}

static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct filter *f = ctx;

	return vmm_query_ref(f->hello, f->host, f->values[OPTION_TRANSPORT], VMM_VIRTIO_ID,
		sizeof(f->lower), &f->lower, sizeof(f->lower), &f->transport, error);
}

/* The core has checked that `id` is one that the type provides; there is one. */
static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	if (strcmp(id, VMM_VIRTIO_ID) != 0)
		return VMM_E_UNSUPPORTED;
	*ret_table = &upper_table;
	*ret_object = ctx;
	return 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.bind = bind,
	.get_interface = get_interface,
	.destroy = free,
};

static const struct vmm_option option_transport = {
	.struct_size = sizeof(option_transport),
	.name = "transport",
	.type = VMM_OPT_REF,
	.flags = VMM_OPT_REQUIRED,
	.interface_id = VMM_VIRTIO_ID,
	.doc = "virtio transport that the filter sits on",
};

static const struct vmm_option option_delay = {
	.struct_size = sizeof(option_delay),
	.name = "delay",
	.type = VMM_OPT_DURATION,
	.default_text = "0ms",
	.min = 0,
	.max = 10000000000,
	.doc = "how much later than without the filter a request is done",
};

static const struct vmm_option *const options[] = {
	[OPTION_TRANSPORT] = &option_transport,
	[OPTION_DELAY] = &option_delay,
};

static const char *const provides[] = {VMM_VIRTIO_ID};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "block-filter",
	.summary = "counts and delays requests between a disk and its transport",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.provides = provides,
	.provides_count = 1,
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "com.example.block-filter",
	.version = "0.1.0",
	.summary = "counts and delays block requests",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "com.example.block-filter", 1);
