/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.memory: RAM ranges in one memfd, each mapped by itself with a guard page behind it, so that
 * a plugin that walks over the end of a range is caught.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_internal.h"

#define PAGE 4096u

void fake_memory_init(struct fake_host *host, const struct fake_ram *ram, uint32_t count)
{
	uint64_t total = 0;
	uint32_t i;

	if (count > RAM_MAX)
		fake_fail("more than %u ranges of RAM", RAM_MAX);
	host->ram_fd = memfd_create("fake-ram", MFD_CLOEXEC);
	for (i = 0; i < count; i++) {
		host->ram[i].what = ram[i];
		host->ram[i].fd_offset = total;
		total += ram[i].bytes;
	}
	if (host->ram_fd < 0 || ftruncate(host->ram_fd, (off_t)total))
		fake_fail("cannot make a memfd of %llu bytes", (unsigned long long)total);
	for (i = 0; i < count; i++) {
		struct fake_ram_slot *slot = &host->ram[i];
		uint8_t *area = mmap(NULL, slot->what.bytes + 2 * PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (area == MAP_FAILED)
			fake_fail("cannot map RAM");
		slot->base = mmap(area + PAGE, slot->what.bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, host->ram_fd, (off_t)slot->fd_offset);
		if (slot->base == MAP_FAILED)
			fake_fail("cannot map RAM");
	}
	host->ram_count = count;
}

void fake_memory_fini(struct fake_host *host)
{
	uint32_t i;

	for (i = 0; i < host->ram_count; i++)
		munmap(host->ram[i].base - PAGE, host->ram[i].what.bytes + 2 * PAGE);
	close(host->ram_fd);
}

static const struct fake_ram_slot *slot_at(struct fake_host *host, uint64_t gpa)
{
	uint32_t i;

	for (i = 0; i < host->ram_count; i++)
		if (gpa >= host->ram[i].what.gpa &&
			gpa - host->ram[i].what.gpa < host->ram[i].what.bytes)
			return &host->ram[i];
	return NULL;
}

/* Splits [gpa, gpa + bytes) by ranges; returns the number of pieces, also of those beyond max. */
static int32_t split(
	struct fake_host *host, uint64_t gpa, uint64_t bytes, struct vmm_iovec *iov, uint32_t max)
{
	uint32_t count = 0;

	while (bytes) {
		const struct fake_ram_slot *slot = slot_at(host, gpa);
		uint64_t offset, piece;

		if (!slot)
			return VMM_E_RANGE;
		offset = gpa - slot->what.gpa;
		piece = slot->what.bytes - offset;
		piece = piece < bytes ? piece : bytes;
		if (count < max)
			iov[count] = (struct vmm_iovec){slot->base + offset, piece};
		count++;
		gpa += piece;
		bytes -= piece;
		if (bytes && !gpa)
			return VMM_E_RANGE;
	}
	return (int32_t)count;
}

int fake_is_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes)
{
	uint32_t i;

	for (i = 0; i < host->ram_count; i++) {
		const struct fake_ram *ram = &host->ram[i].what;

		if (gpa < ram->gpa + ram->bytes && ram->gpa - gpa < bytes)
			return 1;
		if (gpa >= ram->gpa && gpa - ram->gpa < ram->bytes)
			return 1;
	}
	return 0;
}

static int32_t copy(struct fake_host *host, uint64_t gpa, void *data, uint64_t bytes, int write)
{
	struct vmm_iovec iov[RAM_MAX];
	int32_t count = split(host, gpa, bytes, iov, RAM_MAX), i;
	uint8_t *at = data;

	for (i = 0; i < count; i++) {
		memcpy(write ? iov[i].base : at, write ? at : iov[i].base, iov[i].bytes);
		at += iov[i].bytes;
	}
	return count < 0 ? count : 0;
}

/*
 * ---- The service ----
 */

static int32_t space_check(vmm_host *device, const char *what, uint64_t space)
{
	int32_t ret = fake_service(device, what, CTX_ANY);

	return ret < 0 ? ret : space == VMM_SPACE_SYSTEM ? 0 : VMM_E_INVAL;
}

static int32_t memory_map(vmm_host *device, uint64_t space, vmm_gpa gpa, uint64_t bytes,
	uint32_t prot, struct vmm_iovec *iov, uint32_t iov_max)
{
	int32_t ret = space_check(device, "vmm.memory map", space);
	struct fake_map *map;

	if (ret < 0)
		return ret;
	if (!prot || (prot & ~(VMM_PROT_READ | VMM_PROT_WRITE)))
		return VMM_E_INVAL;
	ret = split(device->host, gpa.value, bytes, NULL, 0);
	if (ret < 0)
		return ret;
	if ((uint32_t)ret > iov_max)
		return VMM_E_LIMIT;
	split(device->host, gpa.value, bytes, iov, iov_max);
	if (!bytes)
		return 0;
	fake_lock(device->host);
	map = fake_object_add(device, KIND_MAP, sizeof(*map), "of %#llx, %llu bytes",
		(unsigned long long)gpa.value, (unsigned long long)bytes);
	map->gpa = gpa.value;
	map->bytes = bytes;
	fake_unlock(device->host);
	return ret;
}

static void memory_unmap(vmm_host *device, uint64_t space, vmm_gpa gpa, uint64_t dirty_bytes)
{
	struct fake_object *object;
	struct fake_map *map = NULL;
	uint64_t bytes = 0;

	(void)space;
	fake_lock(device->host);
	for (object = device->host->objects; object; object = object->next) {
		if (object->kind != KIND_MAP || object->owner != device)
			continue;
		map = (void *)object;
		if (map->gpa == gpa.value && map->bytes >= dirty_bytes)
			break;
	}
	if (object) {
		bytes = map->bytes;
		fake_object_drop(device->host, object);
	}
	fake_unlock(device->host);
	if (!bytes && dirty_bytes)
		fake_problem(device->host, "device \"%s\" unmaps %#llx, which it has not mapped",
			device->id, (unsigned long long)gpa.value);
}

static int32_t memory_read(vmm_host *device, uint64_t space, vmm_gpa gpa, void *dst, uint64_t bytes)
{
	struct fake_host *host = device->host;
	int32_t ret = space_check(device, "vmm.memory read", space);

	if (ret >= 0)
		ret = copy(host, gpa.value, dst, bytes, 0);
	if (ret >= 0 && host->on_read)
		host->on_read(host->on_read_ctx, gpa.value);
	return ret;
}

static int32_t memory_write(
	vmm_host *device, uint64_t space, vmm_gpa gpa, const void *src, uint64_t bytes)
{
	int32_t ret = space_check(device, "vmm.memory write", space);
	void *data;

	memcpy(&data, &src, sizeof(data));
	return ret < 0 ? ret : copy(device->host, gpa.value, data, bytes, 1);
}

static int32_t memory_ranges(
	vmm_host *device, uint64_t space, struct vmm_ram_range *ranges, uint32_t max)
{
	struct fake_host *host = device->host;
	int32_t ret = space_check(device, "vmm.memory ranges", space);
	uint32_t i;

	if (ret < 0)
		return ret;
	for (i = 0; i < host->ram_count && i < max; i++)
		ranges[i] = (struct vmm_ram_range){
			{host->ram[i].what.gpa}, host->ram[i].what.bytes, host->ram[i].base};
	return (int32_t)host->ram_count;
}

static int32_t memory_range_fd(
	vmm_host *device, uint64_t space, uint32_t index, int32_t *ret_fd, uint64_t *ret_offset)
{
	int32_t ret = space_check(device, "vmm.memory range_fd", space);

	if (ret < 0)
		return ret;
	if (index >= device->host->ram_count)
		return VMM_E_RANGE;
	*ret_fd = device->host->ram_fd;
	*ret_offset = device->host->ram[index].fd_offset;
	return 0;
}

const struct vmm_memory fake_memory_service = {
	.size = sizeof(fake_memory_service),
	.map = memory_map,
	.unmap = memory_unmap,
	.read = memory_read,
	.write = memory_write,
	.ranges = memory_ranges,
	.range_fd = memory_range_fd,
};

/*
 * ---- For tests ----
 */

void *fake_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes)
{
	struct vmm_iovec iov;

	return split(host, gpa, bytes, &iov, 1) == 1 ? iov.base : NULL;
}

void fake_ram_write(struct fake_host *host, uint64_t gpa, const void *data, uint64_t bytes)
{
	void *source;

	memcpy(&source, &data, sizeof(source));
	if (copy(host, gpa, source, bytes, 1) < 0)
		fake_fail("the test writes to %#llx, which is no RAM", (unsigned long long)gpa);
}

void fake_ram_read(struct fake_host *host, uint64_t gpa, void *data, uint64_t bytes)
{
	if (copy(host, gpa, data, bytes, 0) < 0)
		fake_fail("the test reads %#llx, which is no RAM", (unsigned long long)gpa);
}

void fake_memory_on_read(struct fake_host *host, void (*cb)(void *ctx, uint64_t gpa), void *ctx)
{
	host->on_read = cb;
	host->on_read_ctx = ctx;
}
