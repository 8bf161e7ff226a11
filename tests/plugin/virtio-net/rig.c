/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See rig.h.
 */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "frames.h"

#define RAM_START 0x100000u
#define RAM_BYTES 0xe00000u
#define ARGS_MAX  16u

struct rig *rig_host(uint32_t flags)
{
	const struct fake_config config = {.flags = flags};
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	fake_use_cmocka();
	rig->host = fake_host_create(&config);
	fake_plugin_load(rig->host, FAKE_PLUGIN("pci"));
	fake_plugin_load(rig->host, FAKE_PLUGIN("virtio"));
	fake_plugin_load(rig->host, FAKE_PLUGIN("virtio-net"));
	assert_int_equal(fake_device_add(rig->host, "pci", "pci0", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(rig->host, "virtio-pci", "v0", FAKE_OPTIONS("bus=pci0"), NULL), 0);
	return rig;
}

void rig_start(struct rig *rig, const char *const *options)
{
	const char *args[ARGS_MAX] = {"transport=v0"};

	for (uint32_t i = 0; options && options[i]; i++)
		args[i + 1] = options[i];
	if (fake_device_add(rig->host, "virtio-net", "net0", args, NULL) < 0)
		fail_msg("%s", fake_error(rig->host));
	if (fake_host_start(rig->host) < 0)
		fail_msg("%s", fake_error(rig->host));
	fake_virtio_find(rig->host, RIG_NET_ID, 0, RAM_START, RAM_BYTES, &rig->driver);
}

struct rig *rig_open_on(const char *const *options, uint64_t features, uint32_t flags)
{
	struct rig *rig = rig_host(flags);

	rig_start(rig, options);
	fake_virtio_init(&rig->driver, features);
	return rig;
}

struct rig *rig_open(const char *const *options, uint64_t features)
{
	return rig_open_on(options, features, 0);
}

void rig_close(struct rig *rig)
{
	fake_virtio_fini(&rig->driver);
	fake_host_destroy(rig->host);
	free(rig);
}

void rig_close_counts(struct rig *rig, const char *counts)
{
	fake_host_stop(rig->host);
	assert_true(fake_log_has(rig->host, NULL, counts));
	rig_close(rig);
}

void rig_send_on(struct rig *rig, uint32_t pair, const void *hdr, const void *frame, uint32_t bytes)
{
	static const uint8_t none[RIG_HDR_BYTES];
	uint64_t before = rig->driver.ram_next;
	uint64_t gpa = fake_virtio_put(&rig->driver, hdr ? hdr : none, RIG_HDR_BYTES);
	const struct fake_virtio_buffer out = {gpa, RIG_HDR_BYTES + bytes, 0};

	fake_virtio_put(&rig->driver, frame, bytes);
	assert_int_equal(fake_virtio_request(&rig->driver, 2 * pair + 1, &out, 1), 0);
	rig->driver.ram_next = before;
}

void rig_send(struct rig *rig, const void *frame, uint32_t bytes)
{
	rig_send_on(rig, 0, NULL, frame, bytes);
}

void rig_post(struct rig *rig, uint32_t pair, uint32_t bytes)
{
	const struct fake_virtio_buffer in = {fake_virtio_alloc(&rig->driver, bytes, 1), bytes, 1};
	uint32_t head = fake_virtio_add(&rig->driver, 2 * pair, &in, 1, 0);

	rig->gpas[2 * pair][head] = in.gpa;
}

void rig_kick_rx(struct rig *rig, uint32_t pair)
{
	fake_virtio_kick(&rig->driver, 2 * pair);
	fake_settle(rig->host);
}

void rig_fill(struct rig *rig, uint32_t pair, uint32_t count, uint32_t bytes)
{
	rig->buffer_bytes = bytes;
	for (uint32_t i = 0; i < count; i++)
		rig_post(rig, pair, bytes);
	rig_kick_rx(rig, pair);
}

/* One buffer of a frame: its bytes behind what is there already. */
static int take_buffer(struct rig *rig, uint32_t pair, uint32_t skip)
{
	uint32_t head, bytes;
	uint64_t gpa;

	if (!fake_virtio_reap(&rig->driver, 2 * pair, &head, &bytes))
		return 0;
	gpa = rig->gpas[2 * pair][head];
	assert_true(bytes >= skip && rig->data + bytes - skip <= sizeof(rig->frame));
	if (skip)
		fake_ram_read(rig->host, gpa, rig->hdr, RIG_HDR_BYTES);
	fake_ram_read(rig->host, gpa + skip, rig->frame + rig->data, bytes - skip);
	rig->data += bytes - skip;
	return 1;
}

int rig_take(struct rig *rig, uint32_t pair)
{
	rig->data = 0;
	if (!take_buffer(rig, pair, RIG_HDR_BYTES))
		return 0;
	rig->num_buffers = rig->hdr[10] | (uint32_t)rig->hdr[11] << 8;
	assert_true(rig->num_buffers >= 1);
	for (uint32_t i = 1; i < rig->num_buffers; i++)
		assert_true(take_buffer(rig, pair, 0));
	return 1;
}

struct take {
	struct rig *rig;
	uint32_t pair;
};

static int taken(void *ctx)
{
	const struct take *take = ctx;

	return rig_take(take->rig, take->pair);
}

void rig_receive(struct rig *rig, uint32_t pair)
{
	struct take take = {rig, pair};

	if (!fake_run_until(rig->host, taken, &take, 5000))
		fail_msg("no frame came in 5 s");
}

void rig_is_alive(struct rig *rig)
{
	uint8_t frame[64];
	uint32_t bytes = frame_arp(frame, 0x0a000202);

	rig_post(rig, 0, 2048);
	rig_kick_rx(rig, 0);
	rig_send(rig, frame, bytes);
	do
		rig_receive(rig, 0);
	while (!frame_is_arp_reply(rig->frame, rig->data, 0x0a000202));
}
