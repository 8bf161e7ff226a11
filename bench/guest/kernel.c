/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that times exits: writes to a register many times, between two readings of the time stamp
 * counter, and prints on COM1 how long each batch took. Ends the machine through debug-exit.
 *
 * Its command line says which register:
 *   pio           the scratch register of the serial port
 *   mmio          device_feature_select of the first virtio device on the PCI bus
 *   mmio=ADDRESS  DeviceFeaturesSel of a virtio-mmio device (hexadecimal)
 *   wait          none: it stays, and does nothing
 *
 * A batch is printed as ticks with the rate of the counter, as KVM's clock has it: nanoseconds are
 * (ticks << shift) * mul >> 32. Whoever reads it can divide; a kernel without a library cannot.
 */
#include <stdint.h>

#include "console.h"

#define SCRATCH     (COM1 + 7)
#define DEBUG_EXIT  0xf4
#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc

#define BATCHES  9
#define ACCESSES 2000

#define MSR_KVM_SYSTEM_TIME 0x4b564d01

#define PCI_VENDOR_VIRTIO  0x1af4
#define PCI_COMMAND        0x04
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_BAR0           0x10
#define PCI_CAPABILITIES   0x34
#define CAP_VENDOR         0x09
#define VIRTIO_CAP_COMMON  1

#define VIRTIO_MMIO_FEATURES_SELECT 0x14

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t range_count, reserved;
};

/* KVM's clock for one vCPU; KVM writes it when the vCPU enters the guest. */
struct kvm_clock {
	uint32_t version, pad;
	uint64_t tsc, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
};

void kernel_main(const struct pvh_info *info);

static volatile struct kvm_clock clock __attribute__((aligned(64)));

static uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void clock_start(void)
{
	uintptr_t address = (uintptr_t)&clock | 1;

	__asm__ volatile("wrmsr" : : "c"(MSR_KVM_SYSTEM_TIME), "a"(address), "d"(0));
}

static void put_batch(uint64_t spent)
{
	put("batch ");
	put_hex(spent);
	put(" mul ");
	put_hex(clock.mul);
	put(" shift ");
	put_hex((uint8_t)clock.shift);
	put(" accesses ");
	put_hex(ACCESSES);
	put("\n");
}

static uint32_t pci_read(uint32_t slot, uint32_t offset)
{
	out32(PCI_ADDRESS, 0x80000000u | slot << 11 | (offset & 0xfc));
	return in32(PCI_DATA);
}

static void pci_write(uint32_t slot, uint32_t offset, uint32_t value)
{
	out32(PCI_ADDRESS, 0x80000000u | slot << 11 | (offset & 0xfc));
	out32(PCI_DATA, value);
}

/* Address of the common configuration of the device in this slot, 0 if it has none below 4 GiB. */
static uint32_t common_config(uint32_t slot)
{
	uint32_t at = pci_read(slot, PCI_CAPABILITIES) & 0xfc;

	for (int left = 48; at && left > 0; left--) {
		uint32_t head = pci_read(slot, at);
		uint32_t bar = pci_read(slot, at + 4) & 0xff;

		if ((head & 0xff) == CAP_VENDOR && head >> 24 == VIRTIO_CAP_COMMON && bar < 6) {
			uint32_t low = pci_read(slot, PCI_BAR0 + 4 * bar);
			uint32_t high = low & 4 ? pci_read(slot, PCI_BAR0 + 4 * bar + 4) : 0;

			return high ? 0 : (low & ~0xfu) + pci_read(slot, at + 8);
		}
		at = head >> 8 & 0xfc;
	}
	return 0;
}

static uint32_t find_virtio(void)
{
	for (uint32_t slot = 0; slot < 32; slot++) {
		uint32_t address;

		if ((pci_read(slot, 0) & 0xffff) != PCI_VENDOR_VIRTIO)
			continue;
		address = common_config(slot);
		if (!address)
			continue;
		pci_write(slot, PCI_COMMAND, pci_read(slot, PCI_COMMAND) | PCI_COMMAND_MEMORY);
		return address;
	}
	return 0;
}

static uint32_t hex(const char *text)
{
	uint32_t value = 0;

	for (; *text; text++) {
		if (*text >= '0' && *text <= '9')
			value = value << 4 | (uint32_t)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			value = value << 4 | (uint32_t)(*text - 'a' + 10);
		else
			break;
	}
	return value;
}

static void time_port(void)
{
	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t start = ticks();

		for (int i = 0; i < ACCESSES; i++)
			out(SCRATCH, (uint8_t)i);
		put_batch(ticks() - start);
	}
}

static void time_memory(uint32_t address)
{
	volatile uint32_t *select = (volatile uint32_t *)(uintptr_t)address;

	if (!address) {
		put("no virtio device\n");
		return;
	}
	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t start = ticks();

		for (uint32_t i = 0; i < ACCESSES; i++)
			*select = i & 1;
		put_batch(ticks() - start);
	}
}

/* Loaders may put words of their own around ours: the first p, m or w counts. */
void kernel_main(const struct pvh_info *info)
{
	const char *word = (const char *)(uintptr_t)info->cmdline;

	clock_start();
	put("exits\n");
	while (*word && *word != 'p' && *word != 'm' && *word != 'w')
		word++;
	if (*word == 'w')
		return;
	if (*word == 'p')
		time_port();
	else if (*word == 'm' && word[4] == '=')
		time_memory(hex(word + 5) + VIRTIO_MMIO_FEATURES_SELECT);
	else
		time_memory(find_virtio());
	put("end\n");
	out(DEBUG_EXIT, 0);
}
