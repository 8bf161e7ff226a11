/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In a Linux guest, as root: drives the edu device without a kernel driver, by what sysfs shows of
 * a PCI device. Its registers are mapped from resource0; DMA goes to a locked page whose address
 * pagemap tells; an interrupt is seen in the pending bits, with the function mask set, so that none
 * reaches the processor. Prints "edu: ok" and ends with 0 if everything is as it should be.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"

#define DEVICES    "/sys/bus/pci/devices"
#define PAGE       4096u
#define NAME_BYTES 256u

#define CONFIG_COMMAND      0x04
#define CONFIG_CAPABILITIES 0x34
#define COMMAND_MEMORY      0x2u
#define COMMAND_BUS_MASTER  0x4u
#define CAPABILITY_MSIX     0x11u
#define MSIX_CONTROL        2
#define MSIX_PBA            8
#define MSIX_ENABLE         0x8000u
#define MSIX_MASK_ALL       0x4000u

static void need(int truth, const char *what)
{
	if (truth)
		return;
	printf("edu: failed: %s\n", what);
	exit(1);
}

static int open_file(const char *device, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", device, name);
	fd = open(path, flags | O_CLOEXEC);
	need(fd >= 0, path);
	return fd;
}

static unsigned number_in(const char *device, const char *name)
{
	char text[32] = "";
	int fd = open_file(device, name, O_RDONLY);
	ssize_t got = read(fd, text, sizeof(text) - 1);

	close(fd);
	return got > 0 ? (unsigned)strtoul(text, NULL, 0) : 0;
}

/* Finds the name of the device in sysfs. */
static int find_device(char name[NAME_BYTES])
{
	DIR *devices = opendir(DEVICES);
	const struct dirent *entry;
	int found = 0;

	need(devices != NULL, DEVICES);
	while (!found && (entry = readdir(devices))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, NAME_BYTES, "%s", entry->d_name);
		found = number_in(name, "vendor") == EDU_VENDOR_ID &&
			number_in(name, "device") == EDU_DEVICE_ID;
	}
	closedir(devices);
	return found;
}

static volatile uint32_t *map_bar(const char *device, const char *resource, size_t bytes)
{
	int fd = open_file(device, resource, O_RDWR | O_SYNC);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	need(map != MAP_FAILED, resource);
	close(fd);
	return map;
}

static uint32_t config_get(int config, int offset, size_t width)
{
	uint32_t value = 0;

	need(pread(config, &value, width, offset) == (ssize_t)width, "read of config space");
	return value;
}

static void config_set16(int config, int offset, uint32_t value)
{
	uint16_t word = (uint16_t)value;

	need(pwrite(config, &word, sizeof(word), offset) == sizeof(word), "write of config space");
}

static uint64_t physical(const void *page)
{
	int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;
	off_t at = (off_t)((uintptr_t)page / PAGE * sizeof(entry));

	need(map >= 0 && pread(map, &entry, sizeof(entry), at) == sizeof(entry), "pagemap");
	close(map);
	return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
}

static uint32_t dma(volatile uint32_t *registers, uint32_t command, uint64_t gpa, uint32_t bytes)
{
	registers[EDU_ADDRESS / 4] = (uint32_t)gpa;
	registers[EDU_ADDRESS / 4 + 1] = (uint32_t)(gpa >> 32);
	registers[EDU_BYTES / 4] = bytes;
	registers[EDU_COMMAND / 4] = command;
	while (registers[EDU_STATUS / 4] == EDU_BUSY)
		usleep(1000);
	return registers[EDU_STATUS / 4];
}

static void dma_works(volatile uint32_t *registers, int config)
{
	uint32_t command = config_get(config, CONFIG_COMMAND, 2) | COMMAND_MEMORY;
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	uint64_t gpa;

	need(page != MAP_FAILED, "a locked page");
	memset(page, 'a', PAGE);
	gpa = physical(page);
	config_set16(config, CONFIG_COMMAND, command & ~COMMAND_BUS_MASTER);
	need(dma(registers, EDU_FROM_GUEST, gpa, PAGE) == EDU_FAILED, "DMA needs bus master");
	config_set16(config, CONFIG_COMMAND, command | COMMAND_BUS_MASTER);
	need(dma(registers, EDU_FROM_GUEST, gpa, PAGE) == EDU_DONE, "DMA from the guest");
	memset(page, 'b', PAGE);
	need(dma(registers, EDU_TO_GUEST, gpa, PAGE / 2) == EDU_DONE, "DMA to the guest");
	need(page[0] == 'a' && page[PAGE / 2 - 1] == 'a', "DMA brings the bytes");
	need(page[PAGE / 2] == 'b', "DMA brings no more than asked for");
}

static void interrupt_is_pending(volatile uint32_t *registers, const char *device, int config)
{
	int at = (int)config_get(config, CONFIG_CAPABILITIES, 1);
	volatile uint32_t *bar = map_bar(device, "resource2", PAGE);
	uint32_t pba, control;

	while (at && config_get(config, at, 1) != CAPABILITY_MSIX)
		at = (int)config_get(config, at + 1, 1);
	need(at != 0, "an MSI-X capability");
	pba = config_get(config, at + MSIX_PBA, 4);
	need((pba & 7) == EDU_MSIX_BAR && (pba & ~7u) < PAGE, "the place of the pending bits");
	control = config_get(config, at + MSIX_CONTROL, 2);
	config_set16(config, at + MSIX_CONTROL, control | MSIX_ENABLE | MSIX_MASK_ALL);
	need(!(bar[(pba & ~7u) / 4] & 1u << EDU_VECTOR_RAISE), "nothing is pending at first");
	registers[EDU_RAISE / 4] = 1;
	for (int i = 0; i < 1000 && !(bar[(pba & ~7u) / 4] & 1u << EDU_VECTOR_RAISE); i++)
		usleep(1000);
	need(bar[(pba & ~7u) / 4] & 1u << EDU_VECTOR_RAISE, "a raised vector is pending");
	config_set16(config, at + MSIX_CONTROL, control);
}

int main(void)
{
	volatile uint32_t *registers;
	char device[NAME_BYTES];
	int fd;

	need(find_device(device), "there is an edu device");
	fd = open_file(device, "enable", O_WRONLY);
	need(write(fd, "1", 1) == 1, "the device is enabled");
	close(fd);
	fd = open_file(device, "config", O_RDWR);
	registers = map_bar(device, "resource0", EDU_BAR_BYTES);
	need(registers[EDU_IDENT / 4] == EDU_IDENT_VALUE, "IDENT");
	registers[EDU_CHECK / 4] = 0x12345678;
	need(registers[EDU_CHECK / 4] == 0xedcba987, "CHECK");
	dma_works(registers, fd);
	interrupt_is_pending(registers, device, fd);
	puts("edu: ok");
	return 0;
}
