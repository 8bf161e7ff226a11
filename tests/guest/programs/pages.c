/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a guest: uses memory above 4 GiB, by the processor and by a disk.
 *
 * usage: pages MIB [DEVICE]. Takes so much memory, and of it the pages whose guest address is above
 * 4 GiB (at least half, or it fails); gives each a content of its own, has the device write the
 * first 8 MiB of them and read them back, and checks everything at the end.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE       4096u
#define HIGH_FRAME (UINT64_C(4) * 1024 * 1024 * 1024 / PAGE)
#define DISK_PAGES 2048u

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static void fill(uint64_t *page, uint64_t seed)
{
	for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
		page[i] = (seed << 9 | i) * UINT64_C(0x9e3779b97f4a7c15);
}

static int differs(const uint64_t *page, uint64_t seed)
{
	uint64_t expected[PAGE / sizeof(*page)];

	fill(expected, seed);
	return memcmp(page, expected, PAGE) != 0;
}

/* Moves the pages above 4 GiB to the front of the array; returns how many, 0 on failure. */
static size_t pick_high(char **pages, size_t count)
{
	int map = open("/proc/self/pagemap", O_RDONLY);
	size_t high = 0;

	for (size_t i = 0; map >= 0 && i < count; i++) {
		uint64_t entry = 0;
		off_t at = (off_t)((uintptr_t)pages[i] / PAGE * sizeof(entry));

		if (pread(map, &entry, sizeof(entry), at) != sizeof(entry))
			return 0;
		if ((entry & ((UINT64_C(1) << 55) - 1)) >= HIGH_FRAME)
			pages[high++] = pages[i];
	}
	close(map);
	return high;
}

static int through_disk(const char *device, char **pages, size_t count)
{
	int fd = open(device, O_RDWR | O_DIRECT);

	if (fd < 0)
		return fail(device);
	for (size_t i = 0; i < count; i++)
		if (pwrite(fd, pages[i], PAGE, (off_t)i * PAGE) != PAGE)
			return fail("write");
	for (size_t i = 0; i < count; i++)
		memset(pages[i], 0, PAGE);
	for (size_t i = 0; i < count; i++)
		if (pread(fd, pages[i], PAGE, (off_t)i * PAGE) != PAGE)
			return fail("read");
	return close(fd);
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) * 256 : 0;
	char **pages = calloc(count, sizeof(*pages));
	char *area = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	size_t high;

	if (!count || !pages || area == MAP_FAILED)
		return fail("usage: pages MIB [DEVICE]");
	for (size_t i = 0; i < count; i++)
		pages[i] = area + i * PAGE;
	high = pick_high(pages, count);
	printf("%zu of %zu pages are above 4 GiB\n", high, count);
	if (high < count / 2)
		return 1;
	for (size_t i = 0; i < high; i++)
		fill((uint64_t *)(void *)pages[i], i);
	if (argc > 2 && through_disk(argv[2], pages, high < DISK_PAGES ? high : DISK_PAGES))
		return 1;
	for (size_t i = 0; i < high; i++) {
		if (differs((uint64_t *)(void *)pages[i], i)) {
			printf("page %zu has another content than it was given\n", i);
			return 1;
		}
	}
	return 0;
}
