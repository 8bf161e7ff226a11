/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer's choices: numbers, addresses, ports. Most are near to something that there is.
 */
#include "bare.h"
#include "fuzz.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof(*(array)))

#define PAGE_BYTES 0x1000u

/* splitmix64 */
uint64_t fuzz_next(struct fuzz *f)
{
	uint64_t z = f->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t fuzz_below(struct fuzz *f, uint32_t n)
{
	return (uint32_t)((fuzz_next(f) >> 32) * n >> 32);
}

int fuzz_one_in(struct fuzz *f, uint32_t n)
{
	return !fuzz_below(f, n);
}

struct fake_virtio *fuzz_driver(struct fuzz *f)
{
	return f->target->drivers[fuzz_below(f, FUZZ_DEVICES)];
}

uint32_t fuzz_queue(struct fuzz *f, const struct fake_virtio *d)
{
	uint32_t count = d->queue_count < FUZZ_QUEUES ? d->queue_count : FUZZ_QUEUES;

	return fuzz_below(f, count);
}

uint32_t fuzz_width(struct fuzz *f)
{
	return 1u << fuzz_below(f, 4);
}

static uint64_t pool_address(struct fuzz *f)
{
	uint64_t at = BARE_START + fuzz_next(f) % (BARE_END - BARE_START);

	return fuzz_one_in(f, 3) ? at : at & ~(uint64_t)(PAGE_BYTES - 1);
}

static uint64_t bar_address(struct fuzz *f)
{
	uint32_t device = fuzz_below(f, FUZZ_DEVICES);
	const struct fake_virtio *d = f->target->drivers[device];
	const struct fake_pci_bar *bar = &f->target->home[device].bars[fuzz_below(f, 3)];

	if (d->mmio)
		return d->mmio;
	return bar->space == VMM_IO_MMIO ? bar->address : 0xd0000000u;
}

uint64_t fuzz_value(struct fuzz *f)
{
	switch (fuzz_below(f, 10)) {
	case 0:
	case 1:
		return fuzz_below(f, 16);
	case 2:
		return 1ull << fuzz_below(f, 64);
	case 3:
		return (1ull << fuzz_below(f, 64)) - 1;
	case 4:
		return UINT64_MAX;
	case 5:
		return pool_address(f);
	case 6:
		return bar_address(f);
	case 7:
		return fuzz_below(f, 0x10000);
	case 8:
		return fuzz_next(f) & 0x7f7f7f7f;
	default:
		return fuzz_next(f);
	}
}

uint64_t fuzz_queue_memory(const struct fake_virtio *d, uint32_t queue)
{
	return d->ram_start + (uint64_t)queue * FUZZ_QUEUE_BYTES;
}

uint64_t fuzz_address(struct fuzz *f, const struct fake_virtio *d, uint32_t queue)
{
	static const uint64_t edges[] = {BARE_RAM_BYTES, BARE_RAM_BYTES - 1, BARE_RAM_BYTES - 16,
		0xfee00000, 0xfec00000, 0xe0000000, 0xd8000000, 0x100000000, UINT64_MAX,
		UINT64_MAX - 15, 1ull << 63, 1ull << 52};

	switch (fuzz_below(f, 12)) {
	case 0:
		return fuzz_queue_memory(d, queue) + fuzz_below(f, FUZZ_QUEUE_BYTES);
	case 1:
		return bar_address(f) + fuzz_below(f, PAGE_BYTES);
	case 2:
		return edges[fuzz_below(f, COUNT(edges))];
	case 3:
		return 0x100000000u | fuzz_next(f);
	default:
		return pool_address(f);
	}
}

uint32_t fuzz_length(struct fuzz *f)
{
	static const uint32_t usual[] = {0, 1, 2, 8, 12, 15, 16, 17, 20, 32, 64, 511, 512, 513,
		1024, 1514, 2048, 4096, 65536, 1u << 20, 0x80000000u, UINT32_MAX - 15, UINT32_MAX};

	if (fuzz_one_in(f, 4))
		return fuzz_below(f, 0x20000);
	return usual[fuzz_below(f, COUNT(usual))];
}

uint64_t fuzz_mmio_address(struct fuzz *f)
{
	static const uint64_t bases[] = {0xc0000000, 0xdffff000, 0xe0000000, 0xe00ff000, 0xf0000000,
		0xf0001000, 0xf0fff000, 0xfed00000, 0xfffff000, 0x100000000, 0x8fffff000,
		BARE_RAM_BYTES};
	uint64_t near = fuzz_below(f, 2 * PAGE_BYTES);

	if (f->lethal && fuzz_one_in(f, 100))
		return (fuzz_one_in(f, 2) ? 0xfee00000u : 0xfec00000u) + (near & 0xff0);
	if (fuzz_one_in(f, 2))
		return bar_address(f) + near;
	if (fuzz_one_in(f, 4))
		return 0xc0000000u + fuzz_below(f, 0x3e000000);
	return bases[fuzz_below(f, COUNT(bases))] + near;
}

/* Resets, power-off and debug-exit. */
static int ends_the_machine(uint32_t port, uint32_t width)
{
	static const struct {
		uint32_t first, last;
	} ends[] = {{0x60, 0x64}, {0x92, 0x92}, {0xf4, 0xf7}, {0xcf9, 0xcf9}, {0x600, 0x60f}};

	for (uint32_t i = 0; i < COUNT(ends); i++)
		if (port <= ends[i].last && port + width > ends[i].first)
			return !(port == 0xcf8 && width == 4);
	return 0;
}

static uint32_t any_port(struct fuzz *f)
{
	static const uint16_t bases[] = {0x20, 0x40, 0x60, 0x70, 0x80, 0x92, 0xa0, 0xf0, 0x2f8,
		0x3f8, 0x4d0, 0x510, 0x600, 0xcf8, 0xcfc, 0xb000, 0xc000, 0xc004, 0xc100, 0xfff8};

	if (fuzz_one_in(f, 4))
		return fuzz_below(f, 0x10000);
	return (bases[fuzz_below(f, COUNT(bases))] + fuzz_below(f, 8)) & 0xffff;
}

uint16_t fuzz_port(struct fuzz *f, uint32_t width)
{
	uint32_t port = any_port(f);

	if (f->lethal && fuzz_one_in(f, 30))
		return (uint16_t)port;
	while (ends_the_machine(port, width))
		port = any_port(f);
	return (uint16_t)port;
}
