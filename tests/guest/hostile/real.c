/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See real.h. Threads may use it at the same time: each has its own mappings.
 */
#include "real.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_internal.h"

/* A window has a page more than its place, for accesses across its end. */
#define WINDOW_BYTES 0x10000ull
#define PAGE_BYTES   0x1000ull
#define WINDOWS      64u

/* Processors are emulated, and others use them. */
#define PATIENCE 20u
#define SPINS    2000u

/* An instruction that takes longer than this has no end. */
#define ENDLESS_S 10u

#define LAPIC_REQUESTED 0x200u

struct real {
	int memory;
	uint8_t *ram;
	void (*barrier)(void *ctx);
	void *ctx;
	struct vmm_layout layout;
};

static struct real real;

struct fake_host *real_open(void)
{
	if (real.ram)
		return (struct fake_host *)(void *)&real;
	real.memory = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (real.memory < 0 || iopl(3) < 0) {
		perror("hostile: /dev/mem, iopl");
		exit(1);
	}
	real.ram =
		mmap(NULL, REAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, real.memory, REAL_START);
	if (real.ram == MAP_FAILED) {
		perror("hostile: memory of its own");
		exit(1);
	}
	real.layout = (struct vmm_layout){.struct_size = sizeof(real.layout),
		.ram_bytes = REAL_RAM_BYTES,
		.pci_mmio32_base = 0xc0000000,
		.pci_mmio32_bytes = 0x20000000,
		.pci_ecam_base = 0xe0000000,
		.pci_ecam_bytes = 0x100000,
		.device_mmio_base = 0xf0000000,
		.device_mmio_bytes = 0x1000000,
		.pci_io_base = 0xc000,
		.pci_io_bytes = 0x4000};
	return (struct fake_host *)(void *)&real;
}

void real_set_barrier(struct fake_host *host, void (*barrier)(void *ctx), void *ctx)
{
	(void)host;
	real.barrier = barrier;
	real.ctx = ctx;
}

const struct vmm_layout *fake_layout(struct fake_host *host)
{
	(void)host;
	return &real.layout;
}

/*
 * ---- Accesses ----
 */

volatile void *real_map(uint64_t gpa)
{
	static _Thread_local struct {
		uint64_t base;
		uint8_t *at;
	} windows[WINDOWS];
	uint64_t base = gpa & ~(WINDOW_BYTES - 1);
	uint32_t i = (uint32_t)(base / WINDOW_BYTES % WINDOWS);

	if (!windows[i].at || windows[i].base != base) {
		if (windows[i].at)
			munmap(windows[i].at, WINDOW_BYTES + PAGE_BYTES);
		windows[i].base = base;
		windows[i].at = mmap(NULL, WINDOW_BYTES + PAGE_BYTES,
			PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, real.memory, (off_t)base);
		if (windows[i].at == MAP_FAILED) {
			windows[i].at = NULL;
			fake_fail("0x%llx cannot be mapped", (unsigned long long)gpa);
		}
	}
	return windows[i].at + (gpa - base);
}

uint64_t fake_mmio_read(struct fake_host *host, uint64_t gpa, uint32_t width)
{
	volatile void *at = real_map(gpa);

	(void)host;
	switch (width) {
	case 1:
		return *(volatile uint8_t *)at;
	case 2:
		return *(volatile uint16_t *)at;
	case 4:
		return *(volatile uint32_t *)at;
	default:
		return *(volatile uint64_t *)at;
	}
}

void fake_mmio_write(struct fake_host *host, uint64_t gpa, uint32_t width, uint64_t value)
{
	volatile void *at = real_map(gpa);

	(void)host;
	switch (width) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)at = value;
		break;
	}
}

uint64_t fake_pio_read(struct fake_host *host, uint64_t port, uint32_t width)
{
	(void)host;
	switch (width) {
	case 1:
		return inb((uint16_t)port);
	case 2:
		return inw((uint16_t)port);
	default:
		return inl((uint16_t)port);
	}
}

void fake_pio_write(struct fake_host *host, uint64_t port, uint32_t width, uint64_t value)
{
	(void)host;
	switch (width) {
	case 1:
		outb((uint8_t)value, (uint16_t)port);
		break;
	case 2:
		outw((uint16_t)value, (uint16_t)port);
		break;
	default:
		outl((uint32_t)value, (uint16_t)port);
		break;
	}
}

void *fake_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes)
{
	(void)host;
	if (gpa < REAL_START || bytes > REAL_BYTES || gpa - REAL_START > REAL_BYTES - bytes)
		return NULL;
	return real.ram + (gpa - REAL_START);
}

static sigjmp_buf refused;

static void on_refusal(int signal)
{
	siglongjmp(refused, signal);
}

int real_try(void (*access)(void *ctx), void *ctx)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGALRM};
	const struct sigaction action = {.sa_handler = on_refusal};
	struct sigaction old[4];
	int signal;

	for (uint32_t i = 0; i < 4; i++)
		sigaction(signals[i], &action, &old[i]);
	signal = sigsetjmp(refused, 1);
	alarm(ENDLESS_S);
	if (!signal)
		access(ctx);
	alarm(0);
	for (uint32_t i = 0; i < 4; i++)
		sigaction(signals[i], &old[i], NULL);
	return signal;
}

void real_run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (uint32_t i = 0; i < CPU_SETSIZE; i++)
		if (processor < 0 || i == (uint32_t)processor)
			CPU_SET(i, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/*
 * ---- Time and interrupts ----
 */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int fake_run_until(struct fake_host *host, int (*cond)(void *ctx), void *ctx, uint32_t timeout_ms)
{
	uint64_t end = now_ms() + (uint64_t)timeout_ms * PATIENCE;

	(void)host;
	for (uint32_t i = 0; !cond(ctx); i++) {
		if (i < SPINS)
			continue;
		if (now_ms() > end)
			return 0;
		usleep(100);
	}
	return 1;
}

void fake_settle(struct fake_host *host)
{
	(void)host;
	if (real.barrier)
		real.barrier(real.ctx);
}

/*
 * Vectors 0 to 15 are never delivered but stay requested in the local APIC, of processor 0: whether
 * an interrupt came can be seen, though only once.
 */
uint64_t fake_msi_count(struct fake_host *host, uint32_t data)
{
	uint64_t requested;

	real_run_on(0);
	requested = fake_mmio_read(host, REAL_LAPIC + LAPIC_REQUESTED, 4);
	real_run_on(-1);
	return requested >> (data & 15) & 1;
}

uint32_t fake_vector_count(struct fake_host *host)
{
	(void)host;
	return 0;
}

/*
 * ---- What the drivers of the testkit need ----
 */

void fake_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprint_error(format, arguments);
	va_end(arguments);
	print_error("\n");
	fail();
	abort();
}

void *fake_alloc(uint64_t bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory)
		fake_fail("no memory");
	return memory;
}
