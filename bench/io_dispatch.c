/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What finding a device costs: the time of one read of a port through the I/O map, from the exit's
 * side to the device's function and back, with few and with many devices. No KVM.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/io.h"

#define ROUNDS  2000000u
#define REPEATS 7u

static int32_t device_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)ctx;
	(void)width;
	*ret_value = offset;
	return 0;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median time of one read, over all devices in turn. */
static double measure(uint32_t devices)
{
	double times[REPEATS];
	struct io_map *map;

	if (io_map_create(1, &map) < 0)
		exit(1);
	for (uint32_t i = 0; i < devices; i++) {
		struct io_region_config config = {
			.name = "device",
			.space = VMM_IO_PIO,
			.base = 0x1000 + 16 * i,
			.bytes = 8,
			.width_max = 4,
			.enabled = true,
			.ops = {.read = device_read},
		};
		struct io_region *region;

		if (io_region_add(map, &config, NULL, &region) < 0)
			exit(1);
	}
	for (uint32_t repeat = 0; repeat < REPEATS; repeat++) {
		double start = now_ns();
		uint8_t data[4];

		for (uint32_t i = 0; i < ROUNDS; i++)
			io_read(map, 0, VMM_IO_PIO, 0x1000 + 16 * (i % devices), data,
				sizeof(data));
		times[repeat] = (now_ns() - start) / ROUNDS;
	}
	io_map_destroy(map);
	qsort(times, REPEATS, sizeof(times[0]), compare);
	return times[REPEATS / 2];
}

int main(void)
{
	static const uint32_t devices[] = {1, 10, 40, 250};

	printf("%-8s %s\n", "devices", "ns per read (median of 7)");
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		printf("%-8" PRIu32 " %.1f\n", devices[i], measure(devices[i]));
	return 0;
}
