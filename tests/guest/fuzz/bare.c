/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bare.h.
 */
#include "bare.h"

#include <stdarg.h>
#include <string.h>

#include "fake_internal.h"

#define COM1       0x3f8u
#define DEBUG_EXIT 0xf4u

#define LAPIC_COMMAND 0xfee00300u
#define LAPIC_TARGET  0xfee00310u
#define COMMAND_INIT  0x4500u
#define COMMAND_START 0x4600u

#define TRAMPOLINE 0x8000u
#define SMI_ENTRY  0x38000u
#define PAUSE_TSC  10000000u
#define WAIT_TSC   400000000000u /* minutes */

#define HEAP_BYTES (1u << 20)
#define CODE64     24u
#define GATE       0x8e00u
#define EXIT_FAIL  1u

struct gate {
	uint16_t low, selector, flags, middle;
	uint32_t high, reserved;
};

void exception(void);
void ignored(void);
void kernel_exception(const uint64_t *frame);
extern const uint8_t trampoline[], trampoline_end[];

static struct gate gates[256];
static uint8_t heap[HEAP_BYTES] __attribute__((aligned(16)));
static uint64_t heap_used;
static uint64_t case_seed;
static const uint64_t *case_step;

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

/*
 * ---- Console and end ----
 */

static void put(char c)
{
	if (c == '\n')
		put('\r');
	out8(COM1, (uint8_t)c);
}

void bare_print(const char *text)
{
	out8(COM1 + 3, 0x03); /* 8 bits, no DLAB */
	out8(COM1 + 1, 0);
	out8(COM1 + 4, 0); /* no loopback */
	for (; *text; text++)
		put(*text);
}

void bare_print_number(uint64_t value)
{
	char text[21];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	bare_print(at);
}

void bare_exit(uint8_t value)
{
	for (;;)
		out8(DEBUG_EXIT, value);
}

void bare_set_case(uint64_t seed, const uint64_t *step)
{
	case_seed = seed;
	case_step = step;
}

/* Arguments are left out: the text says what, and where is what the seed is for. */
void fake_fail(const char *format, ...)
{
	bare_print("\nfuzz: FAILED: seed ");
	bare_print_number(case_seed);
	bare_print(" step ");
	bare_print_number(case_step ? *case_step : 0);
	bare_print(": ");
	bare_print(format);
	bare_print("\n");
	bare_exit(EXIT_FAIL);
}

/* Somebody wrote over the fuzzer: its own lethal steps, or a device that should not have. */
void kernel_exception(const uint64_t *frame)
{
	(void)frame;
	fake_fail("an exception");
}

/*
 * ---- Processors ----
 */

static void set_gate(uint32_t vector, void (*handler)(void))
{
	uint64_t at = (uint64_t)(uintptr_t)handler;

	gates[vector] = (struct gate){
		(uint16_t)at, CODE64, GATE, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0};
}

void bare_init(void)
{
	static const uint8_t resume[] = {0x0f, 0xaa}; /* rsm: ends a system management interrupt */
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(gates) - 1, (uintptr_t)gates};

	for (uint32_t i = 0; i < 256; i++)
		set_gate(i, i == 2 || i >= 32 ? ignored : exception);
	__asm__ volatile("lidt %0" : : "m"(pointer));
	memcpy((void *)(uintptr_t)SMI_ENTRY, resume, sizeof(resume));
}

static void wait_ticks(uint64_t count)
{
	uint64_t start = ticks();

	while (ticks() - start < count)
		__asm__ volatile("pause");
}

static void send(uint32_t command)
{
	fake_mmio_write(NULL, LAPIC_TARGET, 4, 1u << 24);
	fake_mmio_write(NULL, LAPIC_COMMAND, 4, command);
	wait_ticks(PAUSE_TSC);
}

void bare_start_second(void)
{
	memcpy((void *)(uintptr_t)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	send(COMMAND_INIT);
	send(COMMAND_START | TRAMPOLINE >> 12);
}

/*
 * ---- Accesses ----
 */

uint64_t fake_mmio_read(struct fake_host *host, uint64_t gpa, uint32_t width)
{
	(void)host;
	switch (width) {
	case 1:
		return *(volatile uint8_t *)(uintptr_t)gpa;
	case 2:
		return *(volatile uint16_t *)(uintptr_t)gpa;
	case 4:
		return *(volatile uint32_t *)(uintptr_t)gpa;
	default:
		return *(volatile uint64_t *)(uintptr_t)gpa;
	}
}

void fake_mmio_write(struct fake_host *host, uint64_t gpa, uint32_t width, uint64_t value)
{
	(void)host;
	switch (width) {
	case 1:
		*(volatile uint8_t *)(uintptr_t)gpa = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)(uintptr_t)gpa = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)(uintptr_t)gpa = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)(uintptr_t)gpa = value;
		break;
	}
}

uint64_t fake_pio_read(struct fake_host *host, uint64_t port, uint32_t width)
{
	uint32_t value = 0;

	(void)host;
	if (width == 1)
		__asm__ volatile("inb %w1, %b0" : "+a"(value) : "Nd"((uint16_t)port));
	else if (width == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "Nd"((uint16_t)port));
	else
		__asm__ volatile("inl %w1, %0" : "+a"(value) : "Nd"((uint16_t)port));
	return value;
}

void fake_pio_write(struct fake_host *host, uint64_t port, uint32_t width, uint64_t value)
{
	(void)host;
	if (width == 1)
		__asm__ volatile("outb %b0, %w1" : : "a"((uint8_t)value), "Nd"((uint16_t)port));
	else if (width == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"((uint16_t)value), "Nd"((uint16_t)port));
	else
		__asm__ volatile("outl %0, %w1" : : "a"((uint32_t)value), "Nd"((uint16_t)port));
}

void *fake_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes)
{
	(void)host;
	if (gpa < BARE_START || bytes > BARE_END - BARE_START || gpa > BARE_END - bytes)
		return NULL;
	return (void *)(uintptr_t)gpa;
}

const struct vmm_layout *fake_layout(struct fake_host *host)
{
	static const struct vmm_layout layout = {.struct_size = sizeof(layout),
		.pci_ecam_base = 0xe0000000,
		.device_mmio_base = 0xf0000000};

	(void)host;
	return &layout;
}

int fake_run_until(struct fake_host *host, int (*cond)(void *ctx), void *ctx, uint32_t timeout_ms)
{
	uint64_t start = ticks();

	(void)host;
	(void)timeout_ms;
	while (!cond(ctx)) {
		__asm__ volatile("pause");
		if (ticks() - start > WAIT_TSC)
			return 0;
	}
	return 1;
}

void fake_settle(struct fake_host *host)
{
	(void)host;
}

uint64_t fake_msi_count(struct fake_host *host, uint32_t data)
{
	(void)host;
	(void)data;
	return 0;
}

/*
 * ---- Of a C library ----
 */

void *fake_alloc(uint64_t bytes)
{
	uint64_t at = heap_used;

	if (bytes > HEAP_BYTES - at)
		fake_fail("no memory");
	heap_used = (at + bytes + 15) & ~15ull;
	return memset(heap + at, 0, bytes);
}

void bare_free_all(void)
{
	heap_used = 0;
}

void free(void *memory)
{
	(void)memory;
}

void *memset(void *at, int value, size_t bytes)
{
	void *to = at;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
	return at;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < bytes; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}
