/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the loaders of kernels: bzImage, ELF with a PVH note, Multiboot 1. The input is the
 * kernel file; its last two bytes choose RAM, initrd, modules and command line. What is loaded
 * starts in RAM and leaves alone what is not the guest's.
 */
#include <stdbool.h>

#include <vmm/support.h>

#include "boot/boot.h"
#include "kvm/vcpu_state.h"
#include "memfile.h"
#include "memory/memory.h"

#define MIB           UINT64_C(0x100000)
#define ACPI_BASE     UINT64_C(0xe0000)
#define ACPI_BYTES    UINT64_C(0x20000)
#define CHOICES_BYTES 2u

static const struct memory_extent small[] = {{0, 2 * MIB}};
static const struct memory_extent usual[] = {{0, 32 * MIB}};
static const struct memory_extent holes[] = {
	{0, 0x9f000}, {MIB, 3 * MIB}, {8 * MIB, 4 * MIB}, {UINT64_C(0x100000000), 2 * MIB}};

static const struct {
	const struct memory_extent *extents;
	uint32_t count;
} rams[] = {{small, 1}, {usual, 1}, {usual, 1}, {holes, 4}};

static struct memory *make_ram(uint32_t which)
{
	/* Shared, so that no huge page has to be cleared for a few bytes. */
	const struct memory_options options = {
		.extents = rams[which].extents, .extent_count = rams[which].count, .shared = true};
	struct memory *memory = NULL;

	if (memory_create(&options, NULL, &memory))
		abort();
	return memory;
}

static bool is_ram(const struct memory *memory, uint64_t gpa, uint64_t bytes)
{
	struct vmm_iovec iov[MEMORY_RANGES_MAX];

	return memory_map(memory, (vmm_gpa){gpa}, bytes, iov, MEMORY_RANGES_MAX) > 0;
}

static void check_loaded(
	const struct memory *memory, const struct vcpu_state *bsp, const struct boot_result *result)
{
	uint8_t first[64];

	FUZZ_CHECK(!strcmp(result->protocol, "linux") || !strcmp(result->protocol, "pvh") ||
		   !strcmp(result->protocol, "multiboot"));
	FUZZ_CHECK(bsp->rip == result->entry.value && is_ram(memory, bsp->rip, 1));
	FUZZ_CHECK(is_ram(memory, bsp->gdt.base, bsp->gdt.limit + 1u));
	FUZZ_CHECK(!bsp->cr3 || (bsp->cr3 % 4096 == 0 && is_ram(memory, bsp->cr3, 4096)));
	if (is_ram(memory, ACPI_BASE, sizeof(first))) {
		FUZZ_CHECK(memory_read(memory, (vmm_gpa){ACPI_BASE}, first, sizeof(first)) == 0);
		for (uint32_t i = 0; i < sizeof(first); i++)
			FUZZ_CHECK(!first[i]);
	}
}

FUZZ_TARGET(data, bytes)
{
	static const char *const cmdlines[] = {NULL, "console=ttyS0", "", "quiet"};
	static const struct boot_range reserved[] = {{{ACPI_BASE}, ACPI_BYTES, BOOT_RANGE_ACPI},
		{{UINT64_C(0xe0000000)}, MIB, BOOT_RANGE_RESERVED}};
	uint8_t choices[CHOICES_BYTES] = {0};
	struct boot_module modules[4];
	char text[1024] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct boot_config config = {.modules = modules, .reserved = reserved};
	struct vcpu_state bsp = {0};
	struct boot_result result = {0};
	struct memory *memory;
	int ret;

	if (bytes > CHOICES_BYTES) {
		bytes -= CHOICES_BYTES;
		memcpy(choices, data + bytes, CHOICES_BYTES);
	}
	memory = make_ram(choices[0] & 3);
	config.kernel_path = memfile(0, data, bytes);
	if (choices[0] & 4)
		config.initrd_path =
			memfile(1, data, choices[0] & 8 && bytes < 4000 ? bytes : bytes / 2);
	config.cmdline = cmdlines[choices[0] >> 4 & 3];
	config.rsdp.value = choices[0] & 0x40 ? ACPI_BASE : 0;
	config.reserved_count = choices[0] >> 7 ? 0 : 2;
	config.module_count = choices[1] & 3;
	for (size_t i = 0; i < config.module_count; i++)
		modules[i] = (struct boot_module){
			config.kernel_path, cmdlines[choices[1] >> 4 & 3], NULL};
	ret = boot_load(memory, &config, &bsp, &result, &error);
	FUZZ_CHECK(ret <= 0 && !ret == !text[0]);
	if (!ret)
		check_loaded(memory, &bsp, &result);
	else
		FUZZ_CHECK(!result.protocol);
	memory_destroy(memory);
	return 0;
}
