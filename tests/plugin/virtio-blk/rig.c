/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rig of the virtio-blk tests.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS     10000u
#define OPTIONS_MAX 16

void rig_need(const char *backend)
{
	struct io_uring ring;
	int ret;

	if (strcmp(backend, "io_uring") != 0)
		return;
	ret = io_uring_queue_init(2, &ring, 0);
	if (ret < 0) {
		print_message("skipped: this kernel forbids io_uring: %s\n", strerror(-ret));
		skip();
	}
	io_uring_queue_exit(&ring);
}

static const char *scratch_directory(void)
{
	const char *directory = getenv("TMPDIR");

	return directory ? directory : "/tmp";
}

void rig_open(struct rig *rig, const struct fake_config *config)
{
	uint8_t sector[BLK_SECTOR_BYTES];

	memset(rig, 0, sizeof(*rig));
	snprintf(rig->image, sizeof(rig->image), "%s/vmm-blk-XXXXXX", scratch_directory());
	rig->fd = mkstemp(rig->image);
	assert_true(rig->fd >= 0);
	memcpy(rig->path, rig->image, sizeof(rig->path));
	for (uint32_t i = 0; i < RIG_SECTORS; i++) {
		memset(sector, (int)(i & 0xff), sizeof(sector));
		assert_int_equal(write(rig->fd, sector, sizeof(sector)), sizeof(sector));
	}
	rig->host = fake_host_create(config);
	fake_plugin_load(rig->host, FAKE_PLUGIN("virtio-blk"));
	fake_type_add(rig->host, &transport_type);
}

void rig_add_bus(struct rig *rig)
{
	vmm_host *bus;

	if (rig->transport)
		return;
	assert_int_equal(fake_device_add(rig->host, TRANSPORT_TYPE, "bus", NULL, &bus), 0);
	rig->transport = fake_device_ctx(bus);
}

void rig_stop(struct rig *rig)
{
	fake_host_stop(rig->host);
	rig->transport = NULL;
}

int32_t rig_add(struct rig *rig, const char *backend, const char *const *extra)
{
	const char *options[OPTIONS_MAX + 1];
	char path[160], aio[32];
	uint32_t n = 0;

	rig_add_bus(rig);
	snprintf(path, sizeof(path), "path=%s", rig->path);
	snprintf(aio, sizeof(aio), "aio=%s", backend);
	options[n++] = path;
	options[n++] = aio;
	options[n++] = "transport=bus";
	for (uint32_t i = 0; extra && extra[i]; i++)
		options[n++] = extra[i];
	options[n] = NULL;
	return fake_device_add(rig->host, "virtio-blk", "disk0", options, &rig->blk);
}

void rig_run(struct rig *rig, uint64_t features)
{
	assert_int_equal(fake_host_start(rig->host), 0);
	transport_activate(rig->transport, features & rig->transport->device.features);
	fake_run_once(rig->host, 100);
}

void rig_start(struct rig *rig, const char *backend, const char *const *extra)
{
	rig_need(backend);
	rig_open(rig, NULL);
	if (rig_add(rig, backend, extra) < 0)
		fail_msg("%s", fake_error(rig->host));
	rig_run(rig, UINT64_MAX);
}

void rig_start_in_memory(struct rig *rig, const char *backend, const char *const *extra)
{
	const char *before = getenv("TMPDIR");
	struct statfs fs;

	if (statfs("/dev/shm", &fs) < 0 || fs.f_type != TMPFS_MAGIC) {
		print_message("skipped: /dev/shm is no tmpfs\n");
		skip();
	}
	setenv("TMPDIR", "/dev/shm", 1);
	rig_start(rig, backend, extra);
	if (before)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
}

void rig_close(struct rig *rig)
{
	if (rig->transport)
		assert_int_equal(rig->transport->mistakes, 0);
	fake_host_destroy(rig->host);
	close(rig->fd);
	unlink(rig->image);
}

void rig_add_request(struct rig *rig, uint32_t queue, struct rig_request *request, uint32_t type,
	uint64_t sector, void *data, uint64_t bytes)
{
	int is_read = type == BLK_T_IN || type == BLK_T_GET_ID;
	struct vmm_iovec iov[] = {
		{&request->header, sizeof(request->header)}, {data, bytes}, {&request->status, 1}};

	request->header =
		(struct blk_wire_header){.type = htole32(type), .sector = htole64(sector)};
	request->status = RIG_UNTOUCHED;
	request->queue = queue;
	request->id = transport_add(rig->transport, queue, iov, is_read ? 1 : 2, is_read ? 2 : 1);
}

struct want {
	struct rig *rig;
	uint32_t count;
};

static int have(void *ctx)
{
	const struct want *want = ctx;

	return want->rig->transport->shown >= want->count;
}

void rig_wait(struct rig *rig, uint32_t count)
{
	struct want want = {rig, count};

	if (!fake_run_until(rig->host, have, &want, WAIT_MS))
		fail_msg("%u of %u requests came back", rig->transport->shown, count);
}

void rig_kick(struct rig *rig, uint32_t queue)
{
	transport_notify(rig->transport, queue);
	rig_wait(rig, rig->transport->chain_count);
}

uint8_t rig_do(struct rig *rig, uint32_t type, uint64_t sector, void *data, uint64_t bytes)
{
	struct rig_request request;

	rig_add_request(rig, 0, &request, type, sector, data, bytes);
	rig_kick(rig, 0);
	return request.status;
}

uint8_t rig_flush(struct rig *rig)
{
	return rig_do(rig, BLK_T_FLUSH, 0, NULL, 0);
}

uint64_t rig_written(const struct rig *rig, uint32_t id)
{
	for (uint32_t i = 0; i < rig->transport->shown; i++)
		if (rig->transport->used[i].id == id)
			return rig->transport->used[i].written;
	fail_msg("chain %u did not come back", id);
	return 0;
}

int rig_sector_is(const struct rig *rig, uint64_t sector, uint8_t byte)
{
	uint8_t data[BLK_SECTOR_BYTES];

	assert_int_equal(pread(rig->fd, data, sizeof(data), (off_t)(sector * BLK_SECTOR_BYTES)),
		sizeof(data));
	for (uint32_t i = 0; i < sizeof(data); i++)
		if (data[i] != byte)
			return 0;
	return 1;
}

static int reset_is_done(void *ctx)
{
	return ((struct transport *)ctx)->resets_done > 0;
}

int rig_reset_ends(struct rig *rig)
{
	return fake_run_until(rig->host, reset_is_done, rig->transport, WAIT_MS);
}

void rig_assert_alive(struct rig *rig)
{
	uint8_t data[BLK_SECTOR_BYTES];

	assert_int_equal(rig_do(rig, BLK_T_IN, 9, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 9);
	memset(data, 9, sizeof(data));
	if (!(rig->transport->device.features & BLK_F_RO))
		assert_int_equal(rig_do(rig, BLK_T_OUT, 9, data, sizeof(data)), BLK_S_OK);
}
