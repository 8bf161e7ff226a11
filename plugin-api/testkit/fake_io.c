/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.io: the registry of regions and doorbells, and the accesses of a guest to them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_internal.h"

#define PIO_SPACE_BYTES 0x10000u

/* The interrupt controllers of a PC. */
static const struct fake_ram irqchip[] = {{0xfec00000, 0x1000}, {0xfee00000, 0x1000}};

static int overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b ? b - a < a_bytes : a - b < b_bytes;
}

/* 0 if an enabled region may lie there. Locked. */
static int32_t place_check(struct fake_host *host, const struct fake_region *self, uint32_t space,
	uint64_t base, uint64_t bytes)
{
	struct fake_object *object;
	uint32_t i;

	if (base + (bytes - 1) < base)
		return VMM_E_RANGE;
	if (space == VMM_IO_PIO && (base >= PIO_SPACE_BYTES || bytes > PIO_SPACE_BYTES - base))
		return VMM_E_RANGE;
	for (object = host->objects; object; object = object->next) {
		const struct fake_region *region = (void *)object;

		if (object->kind == KIND_REGION && region != self && region->enabled &&
			region->space == space && overlap(base, bytes, region->base, region->bytes))
			return VMM_E_EXISTS;
	}
	if (space == VMM_IO_PIO)
		return 0;
	for (i = 0; i < sizeof(irqchip) / sizeof(irqchip[0]); i++)
		if (overlap(base, bytes, irqchip[i].gpa, irqchip[i].bytes))
			return VMM_E_EXISTS;
	for (i = 0; i < host->ram_count; i++)
		if (overlap(base, bytes, host->ram[i].what.gpa, host->ram[i].what.bytes))
			return VMM_E_EXISTS;
	return 0;
}

static int width_valid(uint32_t width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

static int32_t io_region_add(
	vmm_host *device, const struct vmm_io_region *request, uint64_t *ret_region)
{
	int32_t ret = fake_service(device, "vmm.io region_add", CTX_CONFIG);
	struct fake_host *host = device->host;
	struct fake_region *region;

	if (ret < 0)
		return ret;
	if (request->struct_size < sizeof(*request) || request->reserved || !request->bytes ||
		(request->flags & ~VMM_IO_ENABLED) || !width_valid(request->width_max) ||
		!request->ops || !request->name ||
		(request->space != VMM_IO_PIO && request->space != VMM_IO_MMIO))
		return VMM_E_INVAL;
	fake_lock(host);
	if (request->flags & VMM_IO_ENABLED)
		ret = place_check(host, NULL, request->space, request->base, request->bytes);
	if (ret >= 0) {
		region = fake_object_add(
			device, KIND_REGION, sizeof(*region), "\"%s\"", request->name);
		region->space = request->space;
		region->enabled = request->flags & VMM_IO_ENABLED;
		region->base = request->base;
		region->bytes = request->bytes;
		region->width_max = request->width_max;
		region->ops = request->ops;
		region->ctx = request->ctx;
		*ret_region = region->object.id;
	}
	fake_unlock(host);
	return ret;
}

static int32_t io_region_set(vmm_host *device, uint64_t id, uint64_t base, uint32_t flags)
{
	int32_t ret = fake_service(device, "vmm.io region_set", CTX_CONFIG | CTX_LOOP | CTX_VCPU);
	struct fake_host *host = device->host;
	struct fake_region *region;

	if (ret < 0)
		return ret;
	fake_lock(host);
	region = fake_object_get(device, KIND_REGION, id, "vmm.io region_set");
	if (!region || (flags & ~VMM_IO_ENABLED)) {
		fake_unlock(host);
		return VMM_E_INVAL;
	}
	region->enabled = 0;
	region->base = base;
	if (flags & VMM_IO_ENABLED)
		ret = place_check(host, region, region->space, base, region->bytes);
	region->enabled = ret >= 0 && (flags & VMM_IO_ENABLED);
	fake_unlock(host);
	return ret;
}

void fake_doorbell_free(struct fake_host *host, struct fake_doorbell *bell)
{
	close(bell->fd);
	fake_object_drop(host, bell);
}

static int32_t io_region_remove(vmm_host *device, uint64_t id)
{
	struct fake_host *host = device->host;
	struct fake_object *object, *next;
	struct fake_region *region;

	fake_service_void(device, "vmm.io region_remove", CTX_CONFIG);
	fake_lock(host);
	region = fake_object_get(device, KIND_REGION, id, "vmm.io region_remove");
	for (object = host->objects; region && object; object = next) {
		struct fake_doorbell *bell = (void *)object;

		next = object->next;
		if (object->kind == KIND_DOORBELL && bell->region == region)
			fake_doorbell_free(host, bell);
	}
	if (region)
		fake_object_drop(host, region);
	fake_unlock(host);
	return region ? 0 : VMM_E_NOT_FOUND;
}

static int32_t io_doorbell_add(vmm_host *device, const struct vmm_doorbell *request,
	uint64_t *ret_doorbell, int32_t *ret_fd)
{
	int32_t ret = fake_service(device, "vmm.io doorbell_add", CTX_CONFIG);
	struct fake_host *host = device->host;
	struct fake_region *region;
	struct fake_doorbell *bell;

	if (ret < 0)
		return ret;
	if (request->struct_size < sizeof(*request) || (request->flags & ~VMM_DOORBELL_MATCH) ||
		(request->width && !width_valid(request->width)) ||
		(!request->width && (request->flags & VMM_DOORBELL_MATCH)))
		return VMM_E_INVAL;
	fake_lock(host);
	region = fake_object_get(device, KIND_REGION, request->region, "vmm.io doorbell_add");
	if (!region)
		ret = VMM_E_NOT_FOUND;
	else if (request->offset >= region->bytes ||
		 request->width > region->bytes - request->offset)
		ret = VMM_E_RANGE;
	if (ret >= 0) {
		bell = fake_object_add(device, KIND_DOORBELL, sizeof(*bell), "at %#llx in %s",
			(unsigned long long)request->offset, region->object.name);
		bell->region = region;
		bell->what = *request;
		bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		*ret_doorbell = bell->object.id;
		*ret_fd = bell->fd;
	}
	fake_unlock(host);
	return ret;
}

static int32_t io_doorbell_remove(vmm_host *device, uint64_t id)
{
	struct fake_host *host = device->host;
	struct fake_doorbell *bell;

	fake_service_void(device, "vmm.io doorbell_remove", CTX_CONFIG);
	fake_lock(host);
	bell = fake_object_get(device, KIND_DOORBELL, id, "vmm.io doorbell_remove");
	if (bell)
		fake_doorbell_free(host, bell);
	fake_unlock(host);
	return bell ? 0 : VMM_E_NOT_FOUND;
}

const struct vmm_io fake_io_service = {
	.size = sizeof(fake_io_service),
	.region_add = io_region_add,
	.region_set = io_region_set,
	.region_remove = io_region_remove,
	.doorbell_add = io_doorbell_add,
	.doorbell_remove = io_doorbell_remove,
};

/*
 * ---- Accesses ----
 */

/* One call of a region, for the thread that has to make it. */
struct access {
	struct fake_region region; /* a copy: the call is made without the lock */
	uint64_t offset;
	uint32_t width;
	uint32_t write;
	uint64_t value;
	int32_t ret;
};

static void access_call(void *ctx)
{
	struct access *access = ctx;
	const struct fake_region *region = &access->region;

	if (access->write)
		access->ret = region->ops->write(
			region->ctx, access->offset, access->width, access->value);
	else
		access->ret = region->ops->read(
			region->ctx, access->offset, access->width, &access->value);
}

/* Calls a region as the thread model of its device says. */
static void access_run(struct fake_host *host, struct access *access)
{
	vmm_host *owner = access->region.object.owner;
	uint32_t before;

	if (owner->thread_model == VMM_THREADS_LOOP) {
		fake_call_on(host, owner->loop, access_call, access);
		return;
	}
	before = fake_ctx_enter(CTX_VCPU, 0);
	fake_device_guard(owner, 1);
	access_call(access);
	fake_device_guard(owner, 0);
	fake_ctx_leave(before);
}

static uint64_t ones(uint32_t width)
{
	return width >= 8 ? UINT64_MAX : (1ull << (width * 8)) - 1;
}

/* How many of `width` bytes at offset a region takes in one call. */
static uint32_t piece_of(const struct fake_region *region, uint64_t offset, uint32_t width)
{
	uint64_t left = region->bytes - offset;
	uint32_t piece = width < left ? width : (uint32_t)left;

	if (piece <= region->width_max && width_valid(piece))
		return piece;
	piece = region->width_max;
	while (piece > width || piece > left || (offset & (piece - 1)))
		piece /= 2;
	return piece;
}

/*
 * Finds the region at address and how many bytes of the access it takes; 0: those bytes are
 * nobody's. The bytes are found in one look, so that a region that moves has all of them or none.
 */
static int find_region(struct fake_host *host, uint32_t space, uint64_t address, uint32_t width,
	struct fake_region *ret_region, uint32_t *ret_piece)
{
	struct fake_object *object;
	uint32_t piece = width;
	int found = 0;

	fake_lock(host);
	for (object = host->objects; object && !found; object = object->next) {
		const struct fake_region *region = (void *)object;

		if (object->kind != KIND_REGION || !region->enabled || region->space != space)
			continue;
		if (address >= region->base && address - region->base < region->bytes) {
			found = 1;
			*ret_region = *region;
			piece = piece_of(region, address - region->base, width);
		} else if (region->base > address && region->base - address < piece) {
			piece = (uint32_t)(region->base - address);
		}
	}
	fake_unlock(host);
	*ret_piece = piece;
	return found;
}

/* An access of the guest, piece by piece. */
static uint64_t access_split(struct fake_host *host, uint32_t space, uint64_t address,
	uint32_t width, uint32_t write, uint64_t value)
{
	uint64_t result = 0;
	uint32_t done, piece;

	for (done = 0; done < width; done += piece) {
		struct access access = {.write = write};
		uint64_t at = address + done, got;

		if (at < address || (space == VMM_IO_PIO && at >= PIO_SPACE_BYTES)) {
			piece = width - done; /* no wrap to 0 */
			got = ones(piece);
		} else if (find_region(host, space, at, width - done, &access.region, &piece)) {
			access.offset = at - access.region.base;
			access.width = piece;
			access.value = write ? (value >> (done * 8)) & ones(piece) : 0;
			access_run(host, &access);
			got = access.ret < 0 ? ones(piece) : access.value & ones(piece);
		} else {
			got = ones(piece);
		}
		result |= got << (done * 8);
	}
	return result;
}

static struct fake_doorbell *find_doorbell(struct fake_host *host, uint32_t space, uint64_t address)
{
	struct fake_object *object;

	for (object = host->objects; object; object = object->next) {
		struct fake_doorbell *bell = (void *)object;

		if (object->kind == KIND_DOORBELL && bell->region->enabled &&
			bell->region->space == space &&
			bell->region->base + bell->what.offset == address)
			return bell;
	}
	return NULL;
}

/* 1 if the write rang doorbells, as KVM would find them: address, width, value. */
static int ring(
	struct fake_host *host, uint32_t space, uint64_t address, uint32_t width, uint64_t value)
{
	struct fake_object *object;
	int rang = 0;

	fake_lock(host);
	for (object = host->objects; object && !rang; object = object->next) {
		struct fake_doorbell *bell = (void *)object;

		if (object->kind != KIND_DOORBELL || !bell->region->enabled ||
			bell->region->space != space ||
			bell->region->base + bell->what.offset != address ||
			(bell->what.width && bell->what.width != width) ||
			((bell->what.flags & VMM_DOORBELL_MATCH) && bell->what.value != value))
			continue;
		rang = eventfd_write(bell->fd, 1) == 0;
	}
	fake_unlock(host);
	return rang;
}

static void width_check(uint32_t width)
{
	if (!width || width > 8)
		fake_fail("the test makes an access of %u bytes", width);
}

uint64_t fake_pio_read(struct fake_host *host, uint64_t port, uint32_t width)
{
	width_check(width);
	return access_split(host, VMM_IO_PIO, port, width, 0, 0);
}

void fake_pio_write(struct fake_host *host, uint64_t port, uint32_t width, uint64_t value)
{
	width_check(width);
	if (!ring(host, VMM_IO_PIO, port, width, value & ones(width)))
		access_split(host, VMM_IO_PIO, port, width, 1, value);
}

uint64_t fake_mmio_read(struct fake_host *host, uint64_t gpa, uint32_t width)
{
	width_check(width);
	return access_split(host, VMM_IO_MMIO, gpa, width, 0, 0);
}

void fake_mmio_write(struct fake_host *host, uint64_t gpa, uint32_t width, uint64_t value)
{
	width_check(width);
	if (!ring(host, VMM_IO_MMIO, gpa, width, value & ones(width)))
		access_split(host, VMM_IO_MMIO, gpa, width, 1, value);
}

int fake_io_mapped(struct fake_host *host, uint32_t space, uint64_t address)
{
	struct fake_region region;
	uint32_t piece;

	return find_region(host, space, address, 1, &region, &piece);
}

static uint32_t count_kind(struct fake_host *host, enum fake_kind kind)
{
	const struct fake_object *object;
	uint32_t count = 0;

	fake_lock(host);
	for (object = host->objects; object; object = object->next)
		count += object->kind == kind;
	fake_unlock(host);
	return count;
}

uint32_t fake_region_count(struct fake_host *host)
{
	return count_kind(host, KIND_REGION);
}

int fake_region(struct fake_host *host, uint32_t index, struct fake_io_range *ret_range)
{
	const struct fake_object *object;
	int found = 0;

	fake_lock(host);
	for (object = host->objects; object && !found; object = object->next) {
		const struct fake_region *region = (const void *)object;

		if (object->kind != KIND_REGION || index--)
			continue;
		*ret_range = (struct fake_io_range){
			region->space, region->enabled, region->base, region->bytes};
		found = 1;
	}
	fake_unlock(host);
	return found;
}

uint32_t fake_doorbell_count(struct fake_host *host)
{
	return count_kind(host, KIND_DOORBELL);
}

int fake_doorbell_at(struct fake_host *host, uint32_t space, uint64_t address)
{
	int found;

	fake_lock(host);
	found = find_doorbell(host, space, address) != NULL;
	fake_unlock(host);
	return found;
}
