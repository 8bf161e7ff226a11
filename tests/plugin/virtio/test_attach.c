/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting devices behind the transport: descriptions that a plugin must not give, and services of
 * the host that fail. What was begun is undone: fake_host_destroy() fails the test if anything is
 * left.
 */
#include "probe.h"

#define CONFIG_BYTES_MAX 2048u
#define QUEUES_MAX       1024u

/* What attach() is asked for: a field after the other is wrong. */
struct description {
	struct vmm_virtio_device device;
	uint8_t tail[8];
};

struct wrong {
	const char *text; /* of the error; NULL: none, but E_TOO_NEW */
	void (*change)(struct description *d);
};

static struct vmm_virtio_ops device_ops;
static uint16_t queue_sizes[2];
static uint8_t config[8];

static void shorter(struct description *d)
{
	d->device.struct_size -= 8;
}

static void longer_with_more(struct description *d)
{
	d->device.struct_size += sizeof(d->tail);
	d->tail[3] = 1;
}

static void reserved(struct description *d)
{
	d->device.reserved = 1;
}

static void no_owner(struct description *d)
{
	d->device.owner = NULL;
}

static void no_name(struct description *d)
{
	d->device.name = NULL;
}

static void no_id(struct description *d)
{
	d->device.device_id = 0;
}

static void id_of_no_device(struct description *d)
{
	d->device.device_id = 64;
}

static void no_ops(struct description *d)
{
	d->device.ops = NULL;
}

static void short_ops(struct description *d)
{
	(void)d;
	device_ops.size = offsetof(struct vmm_virtio_ops, serve) - 8;
}

static void no_activate(struct description *d)
{
	(void)d;
	device_ops.activate = NULL;
}

static void no_notify(struct description *d)
{
	(void)d;
	device_ops.notify = NULL;
}

static void no_reset(struct description *d)
{
	(void)d;
	device_ops.reset = NULL;
}

static void first_feature_of_the_transport(struct description *d)
{
	d->device.features = 1ull << 24;
}

static void last_feature_of_the_transport(struct description *d)
{
	d->device.features = 1ull << 41;
}

static void large_config(struct description *d)
{
	d->device.config_bytes = CONFIG_BYTES_MAX + 1;
}

static void config_without_bytes(struct description *d)
{
	d->device.config = NULL;
}

static void no_queues(struct description *d)
{
	d->device.queue_count = 0;
}

static void many_queues(struct description *d)
{
	d->device.queue_count = QUEUES_MAX + 1;
}

static void no_sizes(struct description *d)
{
	d->device.queue_sizes = NULL;
}

static void empty_queue(struct description *d)
{
	(void)d;
	queue_sizes[1] = 0;
}

static void odd_queue(struct description *d)
{
	(void)d;
	queue_sizes[1] = 12;
}

static void huge_queue(struct description *d)
{
	(void)d;
	queue_sizes[1] = UINT16_MAX;
}

static const struct wrong wrongs[] = {
	{"", shorter},
	{NULL, longer_with_more},
	{"owner, name", reserved},
	{"owner, name", no_owner},
	{"owner, name", no_name},
	{"owner, name", no_id},
	{"owner, name", id_of_no_device},
	{"activate, notify and reset", no_ops},
	{"activate, notify and reset", short_ops},
	{"activate, notify and reset", no_activate},
	{"activate, notify and reset", no_notify},
	{"activate, notify and reset", no_reset},
	{"feature bits 24 to 41", first_feature_of_the_transport},
	{"feature bits 24 to 41", last_feature_of_the_transport},
	{"at most 2048 bytes", large_config},
	{"at most 2048 bytes", config_without_bytes},
	{"1 to 1024 queues", no_queues},
	{"1 to 1024 queues", many_queues},
	{"1 to 1024 queues", no_sizes},
	{"power of two", empty_queue},
	{"power of two", odd_queue},
	{"power of two", huge_queue},
};

#define WRONGS (sizeof(wrongs) / sizeof(*wrongs))

static struct {
	int32_t ret;
	char text[128];
} answers[WRONGS];

static int32_t activate(void *ctx, uint64_t features)
{
	(void)ctx, (void)features;
	return 0;
}

static void notify(void *ctx, uint32_t queue)
{
	(void)ctx, (void)queue;
}

static int32_t reset(void *ctx)
{
	(void)ctx;
	return 0;
}

static int32_t realize_wrongly(void *ctx, struct vmm_error *error)
{
	struct probe *p = ctx;

	for (uint32_t i = 0; i < WRONGS; i++) {
		struct vmm_error own = {sizeof(own), answers[i].text, sizeof(answers[i].text)};
		struct description d = {.device = {.struct_size = sizeof(d.device),
						.owner = p->host,
						.name = p->id,
						.loop = p->loop.own(p->host),
						.device_id = PROBE_ID,
						.queue_count = 2,
						.queue_sizes = queue_sizes,
						.config = config,
						.config_bytes = sizeof(config),
						.slot = VMM_VIRTIO_SLOT_AUTO,
						.ops = &device_ops,
						.ctx = p,
						.error = &own}};
		uint64_t device;

		queue_sizes[0] = queue_sizes[1] = 8;
		device_ops = (struct vmm_virtio_ops){.size = sizeof(device_ops),
			.activate = activate,
			.notify = notify,
			.reset = reset};
		wrongs[i].change(&d);
		answers[i].ret = p->virtio.attach(p->transport, &d.device, &device);
	}
	return probe_type.ops->realize(ctx, error);
}

static void wrong_descriptions_are_refused_and_leave_nothing(void **state)
{
	struct vmm_device_ops ops = *probe_type.ops;
	struct vmm_device_type type = probe_type;
	struct fake_host *host = fake_host_create(NULL);

	(void)state;
	ops.realize = realize_wrongly;
	type.ops = &ops;
	fake_plugin_load(host, FAKE_PLUGIN("virtio"));
	fake_type_add(host, &type);
	assert_int_equal(fake_device_add(host, "virtio-mmio", "virtio0", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(host, "probe", "probe0", FAKE_OPTIONS("transport=virtio0"), NULL),
		0);
	assert_int_equal(fake_host_start(host), 0);
	for (uint32_t i = 0; i < WRONGS; i++) {
		assert_int_equal(answers[i].ret, wrongs[i].text ? VMM_E_INVAL : VMM_E_TOO_NEW);
		if (wrongs[i].text && !strstr(answers[i].text, wrongs[i].text))
			fail_msg("%u: \"%s\", not \"%s\"", i, answers[i].text, wrongs[i].text);
	}
	fake_host_destroy(host);
}

/* A machine with one probe, whose host fails for the nth time. Returns whether it failed. */
static int start_with_fault(const char *transport, uint32_t n)
{
	int pci = !strcmp(transport, "virtio-pci"), hit;
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_PLUGIN("virtio"));
	fake_type_add(host, &probe_type);
	if (pci) {
		fake_plugin_load(host, FAKE_PLUGIN("pci"));
		assert_int_equal(fake_device_add(host, "pci", "pci0", NULL, NULL), 0);
	}
	fake_host_fail_after(host, n);
	if (fake_device_add(
		    host, transport, "virtio0", pci ? FAKE_OPTIONS("bus=pci0") : NULL, NULL) < 0 ||
		fake_device_add(host, "probe", "probe0", FAKE_OPTIONS("transport=virtio0"), NULL) <
			0 ||
		fake_host_start(host) < 0) {
		assert_true(fake_host_fault_hit(host));
		assert_string_not_equal(fake_error(host), "");
	} else {
		assert_false(fake_host_fault_hit(host));
	}
	hit = fake_host_fault_hit(host);
	fake_host_destroy(host);
	return hit;
}

static void every_failing_service_makes_start_fail_and_leaves_nothing(void **state)
{
	const struct probe_machine_kind *kind = *state;
	uint32_t n = 1;

	while (start_with_fault(kind->transport, n))
		n++;
	assert_true(n > 10);
}

#define FAULT_TEST(machine_kind)                                                                   \
	{                                                                                          \
		"every_failing_service_makes_start_fail_and_leaves_nothing [" #machine_kind "]",   \
			every_failing_service_makes_start_fail_and_leaves_nothing, NULL, NULL,     \
			(void *)(uintptr_t) & (machine_kind)                                       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_descriptions_are_refused_and_leave_nothing),
		FAULT_TEST(probe_on_pci),
		FAULT_TEST(probe_on_mmio),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
