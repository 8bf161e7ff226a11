/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device for tests of the transport, and the machine around it.
 */
#include "probe.h"

#include <vmm/support.h>

const struct probe_machine_kind probe_on_pci = {.transport = "virtio-pci"};
const struct probe_machine_kind probe_on_mmio = {.transport = "virtio-mmio"};

/*
 * ---- The device ----
 */

static int32_t activate(void *ctx, uint64_t features)
{
	struct probe *p = ctx;

	p->activations++;
	p->features = features;
	return p->activate_fails ? VMM_E_IO : 0;
}

static void echo(struct probe *p, uint32_t queue, const struct vmm_virtio_chain *chain)
{
	for (uint32_t i = 0; i < chain->writable; i++)
		memset(chain->iov[chain->readable + i].base, PROBE_FILL,
			chain->iov[chain->readable + i].bytes);
	p->virtio.push(p->transport, p->device, queue, chain->id, chain->writable_bytes);
}

static void hold(struct probe *p, uint32_t queue, const struct vmm_virtio_chain *chain)
{
	if (p->held_count == PROBE_HELD_MAX)
		return;
	p->held[p->held_count].queue = queue;
	p->held[p->held_count].id = chain->id;
	p->held[p->held_count].writable_bytes = chain->writable_bytes;
	p->held[p->held_count].base = chain->writable ? chain->iov[chain->readable].base : NULL;
	p->held_count++;
}

/* Returns 1 if it left a chain. */
static uint32_t take_chains(struct probe *p, uint32_t queue, int may_hold)
{
	struct vmm_iovec iov[64];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 64};

	while (p->virtio.pop(p->transport, p->device, queue, &chain) > 0) {
		if (p->mode == PROBE_HOLD && !may_hold) {
			p->virtio.unpop(p->transport, p->device, queue, chain.id);
			return 1;
		}
		p->chains++;
		if (p->mode == PROBE_HOLD)
			hold(p, queue, &chain);
		else
			echo(p, queue, &chain);
		if (p->mode == PROBE_EACH) {
			p->virtio.flush(p->transport, p->device, queue);
			if (p->after_each)
				p->after_each(p->after_each_ctx);
		}
	}
	if (p->after_all)
		p->after_all(p->after_all_ctx);
	return 0;
}

static void notify(void *ctx, uint32_t queue)
{
	struct probe *p = ctx;

	p->notifies[queue]++;
	if (p->mode != PROBE_DEAF)
		take_chains(p, queue, 1);
}

static uint32_t serve(void *ctx, uint32_t queue)
{
	struct probe *p = ctx;

	p->serves[queue]++;
	return p->mode != PROBE_DEAF && take_chains(p, queue, 0);
}

static int32_t reset(void *ctx)
{
	struct probe *p = ctx;

	p->resets++;
	p->held_count = 0;
	if (p->given)
		p->virtio.ring_take(p->transport, p->device, p->given - 1, p->given_next);
	p->given = 0;
	if (p->reset_at_once)
		p->virtio.reset_done(p->transport, p->device);
	return p->reset_pending ? VMM_PENDING : 0;
}

static void config_written(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config)
{
	struct probe *p = ctx;

	p->config_writes++;
	p->config_chains = p->chains;
	p->config_offset = offset;
	p->config_bytes = bytes;
	memcpy(p->config_seen, config, PROBE_CONFIG_BYTES);
}

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
	.config_written = config_written,
};

static const struct vmm_virtio_ops serving_ops = {
	.size = sizeof(serving_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
	.config_written = config_written,
	.serve = serve,
};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct probe *p = calloc(1, sizeof(*p));
	int32_t ret;

	if (!p)
		return VMM_E_NOMEM;
	p->hello = args->hello;
	p->host = args->host;
	p->id = args->device_id;
	p->values = args->values;
	ret = vmm_query(p->hello, p->host, VMM_LOOP_ID, sizeof(p->loop), &p->loop, sizeof(p->loop),
		args->error);
	if (ret < 0)
		free(p);
	else
		*ret_ctx = p;
	return ret;
}

static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct probe *p = ctx;

	return vmm_query_ref(p->hello, p->host, p->values[0], VMM_VIRTIO_ID, sizeof(p->virtio),
		&p->virtio, sizeof(p->virtio), &p->transport, error);
}

void probe_describe(struct probe *p, struct vmm_error *error, struct vmm_virtio_device *ret_device)
{
	static const uint16_t sizes[PROBE_QUEUES] = PROBE_SIZES;
	static const uint8_t config[PROBE_CONFIG_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 0x0f};
	static const uint8_t mask[PROBE_CONFIG_BYTES] = {
		[PROBE_WRITABLE] = 0xf0, [PROBE_WRITABLE_TOO] = 0xff};

	*ret_device = (struct vmm_virtio_device){
		.struct_size = sizeof(*ret_device),
		.owner = p->host,
		.name = p->id,
		.loop = p->loop.own(p->host),
		.device_id = PROBE_ID,
		.queue_count = PROBE_QUEUES,
		.queue_sizes = sizes,
		.features = PROBE_FEATURES,
		.config = config,
		.config_write_mask = mask,
		.config_bytes = PROBE_CONFIG_BYTES,
		.slot = VMM_VIRTIO_SLOT_AUTO,
		.class_code = 0xff0000,
		.ops = p->can_serve ? &serving_ops : &virtio_ops,
		.ctx = p,
		.error = error,
	};
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct probe *p = ctx;
	struct vmm_virtio_device device;
	int32_t ret;

	probe_describe(p, error, &device);
	ret = p->virtio.attach(p->transport, &device, &p->device);

	p->attached = ret >= 0;
	return ret;
}

static void unrealize(void *ctx)
{
	struct probe *p = ctx;

	if (p->attached)
		p->virtio.detach(p->transport, p->device);
	p->attached = 0;
}

static const struct vmm_option option_transport = {
	.struct_size = sizeof(option_transport),
	.name = "transport",
	.type = VMM_OPT_REF,
	.flags = VMM_OPT_REQUIRED,
	.interface_id = VMM_VIRTIO_ID,
	.doc = "virtio transport",
};

static const struct vmm_option *const options[] = {&option_transport};

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.bind = bind,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free,
};

const struct vmm_device_type probe_type = {
	.size = sizeof(probe_type),
	.name = "probe",
	.summary = "virtio device for tests",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = 1,
	.ops = &ops,
};

void probe_release(struct probe *p, uint32_t queue)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->held_count; i++) {
		if (p->held[i].queue != queue) {
			p->held[kept++] = p->held[i];
			continue;
		}
		if (p->held[i].base)
			memset(p->held[i].base, PROBE_FILL, 1);
		p->virtio.push(
			p->transport, p->device, queue, p->held[i].id, p->held[i].writable_bytes);
	}
	p->held_count = kept;
	p->virtio.flush(p->transport, p->device, queue);
}

/*
 * ---- The machine ----
 */

int probe_setup(void **state)
{
	struct probe_machine *m = calloc(1, sizeof(*m));
	const struct probe_machine_kind *kind = *state;
	const struct fake_config config = {.flags = kind->flags};
	int pci = !strcmp(kind->transport, "virtio-pci");
	vmm_host *device;

	fake_use_cmocka();
	m->kind = kind;
	m->host = fake_host_create(&config);
	if (kind->minor)
		fake_host_minor(m->host, kind->minor);
	fake_plugin_load(m->host, FAKE_PLUGIN("virtio"));
	fake_type_add(m->host, kind->type ? kind->type : &probe_type);
	if (pci) {
		fake_plugin_load(m->host, FAKE_PLUGIN("pci"));
		assert_int_equal(fake_device_add(m->host, "pci", "pci0", NULL, NULL), 0);
	}
	assert_int_equal(fake_device_add(m->host, kind->transport, "virtio0",
				 pci ? FAKE_OPTIONS("bus=pci0") : NULL, NULL),
		0);
	assert_int_equal(fake_device_add(m->host, "probe", "probe0",
				 FAKE_OPTIONS("transport=virtio0"), &device),
		0);
	m->probe = fake_device_ctx(device);
	m->probe->can_serve = kind->serves;
	if (fake_host_start(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	if (pci)
		fake_virtio_find(m->host, PROBE_ID, 0, 0x100000, 0x800000, &m->driver);
	else
		fake_virtio_find_mmio(m->host, PROBE_ID, 0, 0x100000, 0x800000, &m->driver);
	*state = m;
	return 0;
}

int probe_teardown(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_fini(&m->driver);
	fake_host_destroy(m->host);
	free(m);
	return 0;
}

void probe_expect_alive(struct probe_machine *m, uint32_t queue, int reset_first)
{
	struct fake_virtio_buffer in = {0, 32, 1};
	const uint8_t *data;

	m->probe->mode = PROBE_ECHO;
	if (reset_first)
		fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(&m->driver, 32, 16);
	assert_int_equal(fake_virtio_request(&m->driver, queue, &in, 1), 32);
	data = fake_ram(m->host, in.gpa, 32);
	assert_int_equal(data[31], PROBE_FILL);
}

void probe_expect_needs_reset(struct probe_machine *m, uint32_t queue)
{
	uint16_t used = fake_virtio_used_index(&m->driver, queue);
	uint32_t chains;

	fake_settle(m->host);
	chains = m->probe->chains;
	assert_true(fake_virtio_status(&m->driver) & FAKE_VIRTIO_NEEDS_RESET);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		fake_virtio_kick(&m->driver, q);
	fake_settle(m->host);
	assert_int_equal(m->probe->chains, chains);
	assert_int_equal(fake_virtio_used_index(&m->driver, queue), used);
	probe_expect_alive(m, queue, 1);
	assert_false(fake_virtio_status(&m->driver) & FAKE_VIRTIO_NEEDS_RESET);
}
