/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where BARs are (PCI Local Bus 3.0, 6.2.5.1). We place them when a function is added; the guest
 * may move them inside of the windows of the host bridge. Elsewhere, or on a place that is taken,
 * a BAR reads back what was written but is not decoded, until its place is legal and free.
 *
 * A 64-bit BAR whose decode is on moves when both halves were written: the first half of a move, or
 * asking one half for its size, leaves it where it is.
 */
#include "pci.h"

#define PAGE_BYTES 4096u
#define LOWER_HALF 1u
#define UPPER_HALF 2u

#define BAR_FLAG_IO       0x1u
#define BAR_FLAG_64       0x4u
#define BAR_FLAG_PREFETCH 0x8u

struct window {
	uint64_t base;
	uint64_t bytes;
};

static int is_io(const struct pci_bar *bar)
{
	return bar->kind == VMM_PCI_BAR_IO;
}

static int is_64(const struct pci_bar *bar)
{
	return bar->kind == VMM_PCI_BAR_MEM64 || bar->kind == VMM_PCI_BAR_MEM64_PREFETCH;
}

static struct window window_io(const struct pci_bus *bus)
{
	return (struct window){bus->layout.pci_io_base, bus->layout.pci_io_bytes};
}

static struct window window_32(const struct pci_bus *bus)
{
	return (struct window){bus->layout.pci_mmio32_base, bus->layout.pci_mmio32_bytes};
}

static struct window window_64(const struct pci_bus *bus)
{
	return (struct window){bus->layout.pci_mmio64_base, bus->layout.pci_mmio64_bytes};
}

static int window_holds(struct window window, uint64_t base, uint64_t bytes)
{
	return base >= window.base && bytes <= window.bytes &&
	       base - window.base <= window.bytes - bytes;
}

static int place_legal(const struct pci_bus *bus, const struct pci_bar *bar, uint64_t base)
{
	if (is_io(bar))
		return window_holds(window_io(bus), base, bar->bytes);
	return window_holds(window_32(bus), base, bar->bytes) ||
	       (is_64(bar) && window_holds(window_64(bus), base, bar->bytes));
}

/*
 * ---- First places ----
 */

/* End of a BAR in the way of [base, base + bytes), or 0. */
static uint64_t in_the_way(const struct pci_bus *bus, int io, uint64_t base, uint64_t bytes)
{
	uint32_t slot, i;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		const struct pci_function *other = bus->slots[slot];

		for (i = 0; other && i < PCI_BARS; i++) {
			const struct pci_bar *bar = &other->bars[i];

			if (bar->kind && is_io(bar) == io && bar->assigned < base + bytes &&
				base < bar->assigned + bar->bytes)
				return bar->assigned + bar->bytes;
		}
	}
	return 0;
}

static int find_in(const struct pci_bus *bus, struct window window, struct pci_bar *bar,
	const struct pci_bar *own)
{
	uint64_t align = bar->bytes, at, end;
	uint32_t i;

	/* Two BARs never share a page: a guest may want to hand one on. */
	if (!is_io(bar) && align < PAGE_BYTES)
		align = PAGE_BYTES;
	at = (window.base + align - 1) & ~(align - 1);
	while (window_holds(window, at, bar->bytes)) {
		end = in_the_way(bus, is_io(bar), at, bar->bytes);
		/* Those of the function that is being made are not on the bus yet. */
		for (i = 0; !end && i < PCI_BARS; i++)
			if (own[i].kind && &own[i] != bar && is_io(&own[i]) == is_io(bar) &&
				own[i].assigned < at + bar->bytes &&
				at < own[i].assigned + own[i].bytes)
				end = own[i].assigned + own[i].bytes;
		if (!end) {
			bar->assigned = at;
			return 1;
		}
		at = (end + align - 1) & ~(align - 1);
	}
	return 0;
}

static int32_t place_find(struct pci_function *function, struct pci_bar *bar)
{
	const struct pci_bus *bus = function->bus;
	int found;

	if (is_io(bar))
		found = find_in(bus, window_io(bus), bar, function->bars);
	else
		found = (is_64(bar) && find_in(bus, window_64(bus), bar, function->bars)) ||
			find_in(bus, window_32(bus), bar, function->bars);
	return found ? 0 : VMM_E_LIMIT;
}

/*
 * ---- Adding ----
 */

static const char *bar_wrong(const struct pci_function *function, const struct vmm_pci_bar *what)
{
	uint64_t least = what->kind == VMM_PCI_BAR_IO ? 4 : 16;
	int wide = what->kind == VMM_PCI_BAR_MEM64 || what->kind == VMM_PCI_BAR_MEM64_PREFETCH;

	if (what->kind != VMM_PCI_BAR_IO && what->kind != VMM_PCI_BAR_MEM32 && !wide)
		return "has an unknown kind";
	if (what->index + (wide ? 1u : 0u) >= PCI_BARS || what->index >= PCI_BARS)
		return "has an index that does not exist";
	if (function->bars[what->index].kind || (wide && function->bars[what->index + 1].kind) ||
		(what->index && is_64(&function->bars[what->index - 1])))
		return "has an index that is taken";
	if (what->bytes < least || (what->bytes & (what->bytes - 1)))
		return "has a size that is no power of two, or too small";
	if (!wide && what->bytes > 1u << 31)
		return "is too large for 32 bits";
	if (!what->ops || what->reserved)
		return "has no callbacks";
	return NULL;
}

/* Fills the registers of a BAR that has its place. */
static void registers_fill(struct pci_function *function, const struct pci_bar *bar)
{
	uint8_t *config = function->config + PCI_BAR0 + bar->index * 4;
	uint8_t *mask = function->write_mask + PCI_BAR0 + bar->index * 4;
	uint32_t flags = is_io(bar)                                ? BAR_FLAG_IO
			 : bar->kind == VMM_PCI_BAR_MEM64          ? BAR_FLAG_64
			 : bar->kind == VMM_PCI_BAR_MEM64_PREFETCH ? BAR_FLAG_64 | BAR_FLAG_PREFETCH
								   : 0;

	pci_put(config, is_64(bar) ? 8 : 4, bar->assigned | flags);
	pci_put(mask, is_64(bar) ? 8 : 4, ~(bar->bytes - 1));
}

int32_t pci_bar_add(
	struct pci_function *function, const struct vmm_pci_bar *what, struct vmm_error *error)
{
	struct pci_bus *bus = function->bus;
	const char *wrong = bar_wrong(function, what);
	struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = function->name,
		.space = what->kind == VMM_PCI_BAR_IO ? VMM_IO_PIO : VMM_IO_MMIO,
		.bytes = what->bytes,
		.width_max = what->width_max,
		.ops = what->ops,
		.ctx = what->ctx,
	};
	struct pci_bar *bar;
	int32_t ret;

	if (wrong) {
		vmm_set_error(error, "BAR %u %s", what->index, wrong);
		return VMM_E_INVAL;
	}
	bar = &function->bars[what->index];
	bar->kind = what->kind;
	bar->index = what->index;
	bar->bytes = what->bytes;
	bar->host = function->msix.count && what->index == function->msix.bar ? bus->host
									      : function->owner;
	ret = place_find(function, bar);
	if (ret < 0)
		vmm_set_error(error, "no room is left in the PCI window for BAR %u of %llu bytes",
			what->index, (unsigned long long)what->bytes);
	region.base = bar->assigned;
	if (ret >= 0) {
		ret = bus->io.region_add(bar->host, &region, &bar->region);
		if (ret < 0)
			vmm_set_error(error, "cannot add the region of BAR %u: %s", what->index,
				vmm_error_text(ret));
	}
	if (ret < 0) {
		bar->kind = 0;
		return ret;
	}
	registers_fill(function, bar);
	return 0;
}

void pci_bar_remove(struct pci_function *function, struct pci_bar *bar)
{
	if (bar->kind)
		function->bus->io.region_remove(bar->host, bar->region);
	bar->kind = 0;
}

/*
 * ---- Moving. bus->lock is held. ----
 */

static uint64_t address_get(const struct pci_function *function, const struct pci_bar *bar)
{
	const uint8_t *at = function->config + PCI_BAR0 + bar->index * 4;
	uint64_t address = pci_get(at, 4);

	if (is_io(bar))
		return address & ~3ull;
	if (is_64(bar))
		address |= (uint64_t)pci_get(at + 4, 4) << 32;
	return address & ~15ull;
}

static int is_decoded(const struct pci_function *function, const struct pci_bar *bar)
{
	uint32_t command = pci_get(function->config + PCI_COMMAND, 2);

	return (command & (is_io(bar) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) != 0;
}

static void unmap(struct pci_function *function, struct pci_bar *bar)
{
	if (bar->mapped)
		function->bus->io.region_set(bar->host, bar->region, bar->mapped_at, 0);
	bar->mapped = 0;
}

/* Tries the place that the register names. Returns 1 if the BAR is there now. */
static int map(struct pci_function *function, struct pci_bar *bar)
{
	struct pci_bus *bus = function->bus;
	uint64_t base = address_get(function, bar);

	bar->refused = !place_legal(bus, bar, base) ||
		       bus->io.region_set(bar->host, bar->region, base, VMM_IO_ENABLED) < 0;
	bar->mapped = !bar->refused;
	bar->mapped_at = base;
	return !bar->refused;
}

/* A place became free: BARs that were refused may have a chance now. */
static void retry_refused(struct pci_bus *bus)
{
	uint32_t slot, i;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *function = bus->slots[slot];

		for (i = 0; function && i < PCI_BARS; i++)
			if (function->bars[i].kind && function->bars[i].refused)
				map(function, &function->bars[i]);
	}
}

/* Makes the map agree with the registers. Returns 1 if a place became free. */
static int bar_apply(struct pci_function *function, struct pci_bar *bar)
{
	uint64_t base = address_get(function, bar);
	int freed = 0;

	bar->halves = 0;
	bar->sizing = 0;
	if (!is_decoded(function, bar)) {
		freed = bar->mapped != 0;
		unmap(function, bar);
		bar->refused = 0;
		return freed;
	}
	if (bar->mapped && bar->mapped_at == base)
		return 0;
	freed = bar->mapped != 0;
	/* Off the old place first: the new one may overlap it. */
	unmap(function, bar);
	if (!map(function, bar))
		vmm_guest_errorf(&function->bus->log, function->bus->host, "pci: BAR refused",
			"%s: BAR %u at %#llx is not in a PCI window or the place is taken; it is "
			"not decoded",
			function->name, bar->index, (unsigned long long)base);
	return freed;
}

/* 1 if all bits of a half that can be written are set: the guest asks for the size. */
static int is_sizing(const struct pci_function *function, const struct pci_bar *bar, uint32_t half)
{
	uint32_t at = PCI_BAR0 + bar->index * 4 + (half == UPPER_HALF ? 4 : 0);
	uint32_t mask = pci_get(function->write_mask + at, 4);

	return mask && (pci_get(function->config + at, 4) & mask) == mask;
}

/* A half of a 64-bit BAR with decode on was written. Returns 1 if a place became free. */
static int half_written(struct pci_function *function, struct pci_bar *bar, uint32_t half)
{
	int was_sizing = (bar->sizing & half) != 0;

	if (!bar->mapped)
		return bar_apply(function, bar);
	if (is_sizing(function, bar, half)) {
		bar->sizing |= half;
		return 0;
	}
	bar->sizing &= ~half;
	if (was_sizing && address_get(function, bar) == bar->mapped_at)
		return 0; /* put back */
	bar->halves |= half;
	return bar->halves == (LOWER_HALF | UPPER_HALF) ? bar_apply(function, bar) : 0;
}

void pci_bar_written(struct pci_function *function, uint32_t offset, uint32_t width)
{
	int freed = 0;
	uint32_t i;

	for (i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &function->bars[i];
		uint32_t at = PCI_BAR0 + i * 4;
		int lower = offset < at + 4 && at < offset + width;
		int upper = offset < at + 8 && at + 4 < offset + width;

		if (!bar->kind || !is_decoded(function, bar))
			continue;
		if (lower && !is_64(bar))
			freed |= bar_apply(function, bar);
		if (lower && is_64(bar))
			freed |= half_written(function, bar, LOWER_HALF);
		if (upper && is_64(bar))
			freed |= half_written(function, bar, UPPER_HALF);
	}
	if (freed)
		retry_refused(function->bus);
}

void pci_bars_decode(struct pci_function *function)
{
	int freed = 0;
	uint32_t i;

	for (i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &function->bars[i];

		if (bar->kind && is_decoded(function, bar) != (int)(bar->mapped | bar->refused))
			freed |= bar_apply(function, bar);
	}
	if (freed)
		retry_refused(function->bus);
}
