/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into a VMM with LD_PRELOAD: how long a vCPU's thread is outside of KVM_RUN between two of
 * its calls. At the end the median is written to the file $VMM_BENCH_OUTSIDE: nanoseconds, number
 * of samples, and what reading the clock costs, which is subtracted already.
 *
 * For machines with one vCPU.
 */
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES   16384u
#define CALIBRATE 1001u

static uint32_t samples[SAMPLES]; /* the last ones */
static uint64_t count;            /* vCPU thread; read when it has ended */
static uint64_t left_ns;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t median(uint32_t *values, size_t length)
{
	qsort(values, length, sizeof(values[0]), compare);
	return values[length / 2];
}

static uint32_t clock_cost_ns(void)
{
	uint32_t costs[CALIBRATE];

	for (size_t i = 0; i < CALIBRATE; i++) {
		uint64_t start = now_ns();

		costs[i] = (uint32_t)(now_ns() - start);
	}
	return median(costs, CALIBRATE);
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;
	int ret;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (request != KVM_RUN)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	if (left_ns)
		samples[count++ % SAMPLES] = (uint32_t)(now_ns() - left_ns);
	ret = (int)syscall(SYS_ioctl, fd, request, argument);
	left_ns = now_ns();
	return ret;
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("VMM_BENCH_OUTSIDE");
	uint32_t cost = clock_cost_ns();
	size_t length = count < SAMPLES ? (size_t)count : SAMPLES;
	uint32_t middle;
	FILE *file;

	if (!path || length == 0 || !(file = fopen(path, "w")))
		return;
	middle = median(samples, length);
	fprintf(file, "%u %zu %u\n", middle > cost ? middle - cost : 0, length, cost);
	fclose(file);
}
