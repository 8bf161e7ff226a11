/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of the fuzzer that are single accesses: registers, configuration space, ports, memory that
 * is none, and what the processor itself answers.
 */
#include "bare.h"
#include "fuzz.h"

#define COMMON_BYTES 0x40u
#define CONFIG_BYTES 0x100u
#define MESSAGE_KIND 0x700ull /* delivery mode of an interrupt message: 0 is an interrupt */
#define STRING_MOST  0x1800u

static void access_bar(
	struct fuzz *f, const struct fake_virtio *d, uint32_t bar, uint64_t offset, uint32_t width)
{
	uint64_t value = fuzz_value(f);

	if (bar == d->pci.msix_bar && !f->lethal)
		value &= ~MESSAGE_KIND;
	if (fuzz_one_in(f, 3))
		fake_bar_read(&d->pci, bar, offset, width);
	else
		fake_bar_write(&d->pci, bar, offset, width, value);
}

void fuzz_step_register(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	uint32_t reg = fuzz_below(f, COMMON_BYTES);
	uint32_t width = fuzz_one_in(f, 4) ? fuzz_width(f) : reg < 0x10 || reg >= 0x20 ? 4 : 2;

	if (reg == FAKE_VIRTIO_REG_STATUS)
		width = 1;
	if (width == 4)
		reg &= ~3u;
	if (fuzz_one_in(f, 3))
		fake_virtio_reg_read(d, reg, width);
	else
		fake_virtio_reg_write(d, reg, width, fuzz_value(f));
}

void fuzz_step_bar(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	const struct fake_virtio_window *windows[] = {
		&d->common, &d->isr, &d->config, &d->notify, &d->notify_more};
	const struct fake_virtio_window *window = windows[fuzz_below(f, 5)];

	if (d->mmio)
		fake_mmio_write(
			d->host, d->mmio + fuzz_below(f, 0x200), fuzz_width(f), fuzz_value(f));
	else if (fuzz_one_in(f, 4))
		access_bar(f, d, d->pci.msix_bar,
			fuzz_one_in(f, 4) ? fuzz_below(f, 0x1000) : fuzz_below(f, 0x80) & ~3u,
			fuzz_width(f));
	else
		access_bar(f, d, window->bar, window->offset + fuzz_below(f, COMMON_BYTES),
			fuzz_width(f));
}

/* The command register says mostly that everything is on: without, nothing else is reached. */
static uint64_t config_value(struct fuzz *f, uint32_t offset)
{
	if (offset / 4 == FAKE_PCI_COMMAND / 4 && !fuzz_one_in(f, 8))
		return 7;
	return fuzz_value(f);
}

void fuzz_step_config(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	uint32_t slot = fuzz_one_in(f, 8) ? fuzz_below(f, 32) : d->pci.slot;
	uint32_t offset = fuzz_one_in(f, 16) ? fuzz_below(f, 0x1000) : fuzz_below(f, CONFIG_BYTES);
	uint32_t width = fuzz_width(f);
	uint64_t value = config_value(f, offset), at = fake_pci_ecam_address(NULL, slot, offset);

	if (fuzz_one_in(f, 3))
		fake_mmio_read(NULL, at, width);
	else if (fuzz_one_in(f, 3))
		fake_pci_io_write(
			NULL, slot, offset & 0xff, width & 7 ? width : 4, (uint32_t)value);
	else
		fake_mmio_write(NULL, at, width, value);
}

void fuzz_step_port(struct fuzz *f)
{
	uint32_t width = 1u << fuzz_below(f, 3);
	uint16_t port = fuzz_port(f, width);

	if (fuzz_one_in(f, 3))
		fake_pio_read(NULL, port, width);
	else
		fake_pio_write(NULL, port, width, fuzz_value(f));
}

/* String instructions: KVM brings many items in one exit. */
void fuzz_step_strings(struct fuzz *f)
{
	uint32_t width = 1u << fuzz_below(f, 3);
	uint16_t port = fuzz_port(f, width);
	uint64_t count = fuzz_one_in(f, 8) ? fuzz_below(f, STRING_MOST) : fuzz_below(f, 32);
	void *at = fake_ram(NULL, BARE_END - 0x10000 + fuzz_below(f, 0x1000), STRING_MOST * 4);

	if (width == 1 && fuzz_one_in(f, 2))
		__asm__ volatile("rep insb" : "+D"(at), "+c"(count) : "d"(port) : "memory");
	else if (width == 4 && fuzz_one_in(f, 2))
		__asm__ volatile("rep insl" : "+D"(at), "+c"(count) : "d"(port) : "memory");
	else if (width == 2)
		__asm__ volatile("rep outsw" : "+S"(at), "+c"(count) : "d"(port) : "memory");
	else if (width == 4)
		__asm__ volatile("rep outsl" : "+S"(at), "+c"(count) : "d"(port) : "memory");
}

void fuzz_step_mmio(struct fuzz *f)
{
	uint64_t at = fuzz_mmio_address(f);

	if (fuzz_one_in(f, 3))
		fake_mmio_read(NULL, at, fuzz_width(f));
	else
		fake_mmio_write(NULL, at, fuzz_width(f),
			f->lethal ? fuzz_value(f) : fuzz_value(f) & ~MESSAGE_KIND);
}

struct msr {
	uint32_t index;
	uint32_t write;
	uint64_t value;
};

static void access_msr(void *ctx)
{
	const struct msr *msr = ctx;
	uint32_t low = (uint32_t)msr->value, high = (uint32_t)(msr->value >> 32);

	if (msr->write)
		__asm__ volatile("wrmsr" : : "c"(msr->index), "a"(low), "d"(high));
	else
		__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr->index));
}

void fuzz_step_processor(struct fuzz *f)
{
	static const uint32_t bases[] = {
		0, 0x400, 0x800, 0xc0000000u, 0xc0010000u, 0x40000000u, 0x4b564d00u};
	uint32_t eax = fuzz_below(f, 64), ebx, ecx = fuzz_below(f, 64), edx;
	struct msr msr = {bases[fuzz_below(f, 7)] + fuzz_below(f, 0x200),
		f->lethal && fuzz_one_in(f, 8), fuzz_value(f)};

	if (fuzz_one_in(f, 2)) {
		eax |= fuzz_below(f, 4) << 30;
		__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
		return;
	}
	guarded(access_msr, &msr);
}
