/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the virtio-blk plugin share: an image, the real .so on the test's own
 * transport, and requests as a driver makes them.
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <vmm/testkit/host.h>

#include "fake_transport.h"
#include "wire.h"

#define RIG_IMAGE_BYTES (4u << 20)
#define RIG_SECTORS     (RIG_IMAGE_BYTES / BLK_SECTOR_BYTES)

/** Status bytes of requests that nothing was written to. */
#define RIG_UNTOUCHED 0xaau

struct rig {
	struct fake_host *host;
	vmm_host *blk;
	struct transport *transport;
	char path[128];  /* what the device opens */
	char image[128]; /* the file that rig_open made, and rig_close removes */
	int fd;          /* of the image, for the test itself; not locked */
};

/** A request as a driver keeps it. */
struct rig_request {
	struct blk_wire_header header;
	uint8_t status;
	uint32_t id;
	uint32_t queue;
};

/** A host and an image of RIG_IMAGE_BYTES, in which sector n is filled with (uint8_t)n. config may
 * be NULL. */
void rig_open(struct rig *rig, const struct fake_config *config);

/** The same with the device, started and activated with all that it offers. extra is further
 * options, NULL-terminated, or NULL. backend is "io_uring" or "worker". */
void rig_start(struct rig *rig, const char *backend, const char *const *extra);

/** The same with the image on a file system in memory; skips the test where there is none. */
void rig_start_in_memory(struct rig *rig, const char *backend, const char *const *extra);

/** Adds the transport, if it is not there. */
void rig_add_bus(struct rig *rig);

/** Adds transport and device; the result of fake_device_add. */
int32_t rig_add(struct rig *rig, const char *backend, const char *const *extra);

/** start and activate, of a device that was added. */
void rig_run(struct rig *rig, uint64_t features);

/** Destroys transport and device. */
void rig_stop(struct rig *rig);

void rig_close(struct rig *rig);

/** Skips the test with a reason where the kernel forbids the back end. */
void rig_need(const char *backend);

/** Puts a request of one data buffer (bytes may be 0) into a queue; no doorbell. */
void rig_add_request(struct rig *rig, uint32_t queue, struct rig_request *request, uint32_t type,
	uint64_t sector, void *data, uint64_t bytes);

/** Rings the doorbell and waits until all that was added has come back. */
void rig_kick(struct rig *rig, uint32_t queue);

/** Waits until that many chains have come back. */
void rig_wait(struct rig *rig, uint32_t count);

/** Both, for one request; its status. */
uint8_t rig_do(struct rig *rig, uint32_t type, uint64_t sector, void *data, uint64_t bytes);

/** The status of a request without data. */
uint8_t rig_flush(struct rig *rig);

/** What push said of a chain; fails the test if it did not come back. */
uint64_t rig_written(const struct rig *rig, uint32_t id);

/** Runs until a reset that was asked for is done; 0 if it takes more than seconds. */
int rig_reset_ends(struct rig *rig);

/** After whatever was done to it, the device serves a read and a write. */
void rig_assert_alive(struct rig *rig);

/** 1 if the sector of the image has that byte all over. */
int rig_sector_is(const struct rig *rig, uint64_t sector, uint8_t byte);

#endif
