/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts under real KVM: message-signalled vectors that are masked and moved under fire, and
 * lines, by call and by eventfd. Ids such as P14 are rows of the catalogue of hostile guests.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest.h"

/* Counters in guest memory, written by the handlers below. */
#define COUNT_A    (GUEST_DATA + 0)
#define COUNT_B    (GUEST_DATA + 4)
#define COUNT_LINE (GUEST_DATA + 8)

#define VECTOR_A    0x40u
#define VECTOR_B    0x41u
#define VECTOR_LINE 0x42u

#define MSI_ADDRESS UINT64_C(0xfee00000) /* APIC id 0 */

#define LINE_GSI    20u
#define ACKNOWLEDGE 0x600 /* a write lets go of the line */

static struct guest guest;

/*
 * Switches the local APIC on, points IOAPIC pin 20 (level, active high) at VECTOR_LINE, reports a
 * step and waits for interrupts. Each handler counts. The one of the line also writes the port.
 */
extern const uint8_t irq_handler_a[], irq_handler_b[], irq_handler_line[];
GUEST_PROGRAM(irq_program, "movl $0x1ff, 0xfee000f0\n"
			   "movl $0x38, 0xfec00000\n" /* pin 20, low half */
			   "movl $0x8042, 0xfec00010\n"
			   "movl $0x39, 0xfec00000\n"
			   "movl $0, 0xfec00010\n"
			   "sti\n"
			   "out %al, $0xf8\n"
			   "1: hlt\n jmp 1b\n"
			   "irq_handler_a:\n"
			   "lock incl 0x30000\n"
			   "movl $0, 0xfee000b0\n" /* EOI */
			   "iret\n"
			   "irq_handler_b:\n"
			   "lock incl 0x30004\n"
			   "movl $0, 0xfee000b0\n"
			   "iret\n"
			   "irq_handler_line:\n"
			   "lock incl 0x30008\n"
			   "push %eax\n push %edx\n"
			   "mov $0x600, %dx\n"
			   "out %al, %dx\n"
			   "pop %edx\n pop %eax\n"
			   "movl $0, 0xfee000b0\n"
			   "iret\n");

static uint64_t address_of(const uint8_t *label)
{
	return GUEST_CODE + (uint64_t)(label - irq_program.start);
}

static int setup(void **state)
{
	(void)state;
	guest_init(&guest, 1);
	guest_load(&guest, irq_program);
	guest_set_gate(&guest, VECTOR_A, address_of(irq_handler_a));
	guest_set_gate(&guest, VECTOR_B, address_of(irq_handler_b));
	guest_set_gate(&guest, VECTOR_LINE, address_of(irq_handler_line));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_fini(&guest);
	return 0;
}

static void start(void)
{
	guest_start(&guest);
	guest_wait_steps(&guest, 1);
}

/* Whether the counter comes to `expected` and stays there a moment. */
static void expect_count(uint64_t counter, uint32_t expected)
{
	for (int i = 0; i < 20000 && guest_read32(&guest, counter) < expected; i++)
		usleep(500);
	usleep(20000);
	assert_int_equal(guest_read32(&guest, counter), expected);
}

static void raise_fd(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void a_vector_interrupts_the_guest(void **state)
{
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(guest.vm, &msi, &fd), 0);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_A), 0);
	start();
	for (uint32_t i = 1; i <= 5; i++) {
		raise_fd(fd);
		expect_count(COUNT_A, i);
	}
	assert_int_equal(irq_msi_pending(msi), 0);
	irq_msi_close(msi);
}

static void P14_what_comes_while_masked_is_delivered_once_by_unmasking(void **state)
{
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(guest.vm, &msi, &fd), 0);
	start();
	/* new vectors are masked */
	raise_fd(fd);
	assert_int_equal(irq_msi_pending(msi), 1);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_A), 0);
	expect_count(COUNT_A, 1);
	assert_int_equal(irq_msi_mask(msi), 0);
	assert_int_equal(irq_msi_pending(msi), 0);
	raise_fd(fd);
	raise_fd(fd);
	expect_count(COUNT_A, 1);
	assert_int_equal(irq_msi_pending(msi), 1);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_A), 0);
	expect_count(COUNT_A, 2);
	irq_msi_close(msi);
}

static void cleared_while_masked_is_forgotten(void **state)
{
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(guest.vm, &msi, &fd), 0);
	start();
	raise_fd(fd);
	irq_msi_clear(msi);
	irq_msi_clear(msi);
	assert_int_equal(irq_msi_pending(msi), 0);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_A), 0);
	expect_count(COUNT_A, 0);
	irq_msi_close(msi);
}

static void a_changed_message_goes_to_its_new_vector(void **state)
{
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(guest.vm, &msi, &fd), 0);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_A), 0);
	start();
	raise_fd(fd);
	expect_count(COUNT_A, 1);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_B), 0);
	raise_fd(fd);
	expect_count(COUNT_B, 1);
	assert_int_equal(guest_read32(&guest, COUNT_A), 1);
	irq_msi_close(msi);
}

static void P13_an_impossible_message_masks_and_hurts_no_other(void **state)
{
	struct irq_msi *good, *bad;
	int good_fd, bad_fd;

	(void)state;
	assert_int_equal(irq_msi_open(guest.vm, &good, &good_fd), 0);
	assert_int_equal(irq_msi_open(guest.vm, &bad, &bad_fd), 0);
	assert_int_equal(irq_msi_set(good, MSI_ADDRESS, VECTOR_A), 0);
	assert_int_equal(irq_msi_set(bad, MSI_ADDRESS, VECTOR_B), 0);
	start();
	assert_int_equal(irq_msi_set(bad, 0, VECTOR_B), VMM_E_INVAL);
	assert_int_equal(irq_msi_set(bad, 0x1fee00000, VECTOR_B), VMM_E_INVAL);
	raise_fd(bad_fd);
	raise_fd(good_fd);
	expect_count(COUNT_A, 1);
	expect_count(COUNT_B, 0);
	assert_int_equal(irq_msi_pending(bad), 1);
	assert_int_equal(irq_msi_set(bad, MSI_ADDRESS, VECTOR_B), 0);
	expect_count(COUNT_B, 1);
	irq_msi_close(bad);
	irq_msi_close(good);
}

static void P14_nothing_is_lost_in_a_storm_of_masking(void **state)
{
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(guest.vm, &msi, &fd), 0);
	start();
	for (uint32_t i = 1; i <= 200; i++) {
		assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, i % 2 ? VECTOR_A : VECTOR_B), 0);
		raise_fd(fd);
		assert_int_equal(irq_msi_mask(msi), 0);
		/* delivered before the mask, or pending now: never both, never neither */
		if (irq_msi_pending(msi))
			irq_msi_set(msi, MSI_ADDRESS, i % 2 ? VECTOR_A : VECTOR_B);
		for (int w = 0; w < 20000 &&
				guest_read32(&guest, COUNT_A) + guest_read32(&guest, COUNT_B) < i;
			w++)
			usleep(100);
		assert_int_equal(guest_read32(&guest, COUNT_A) + guest_read32(&guest, COUNT_B), i);
	}
	irq_msi_close(msi);
}

static void P14_vectors_are_used_again_without_end(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct irq_msi *msi;
		int fd;

		assert_int_equal(irq_msi_open(guest.vm, &msi, &fd), 0);
		if (i % 50 == 0)
			assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, VECTOR_A), 0);
		irq_msi_close(msi);
	}
}

static int32_t acknowledge(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	(void)offset;
	(void)width;
	(void)value;
	return ctx ? irq_line_set(ctx, 0) : 0;
}

static void a_line_interrupts_until_it_is_let_go(void **state)
{
	struct irq_line *line;

	(void)state;
	assert_int_equal(irq_line_open(guest.vm, LINE_GSI, VMM_IRQ_LEVEL, &line), 0);
	guest_region(&guest, "ack", VMM_IO_PIO, ACKNOWLEDGE, 1, 1,
		(struct io_ops){NULL, acknowledge}, line);
	start();
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(irq_line_set(line, 1), 0);
		expect_count(COUNT_LINE, i);
	}
	irq_line_close(line);
}

static void P16_a_shared_line_is_up_while_one_holds_it(void **state)
{
	struct irq_line *a, *b;
	uint32_t seen;

	(void)state;
	assert_int_equal(irq_line_open(guest.vm, LINE_GSI, VMM_IRQ_LEVEL, &a), 0);
	assert_int_equal(irq_line_open(guest.vm, LINE_GSI, VMM_IRQ_LEVEL, &b), 0);
	guest_region(&guest, "ack", VMM_IO_PIO, ACKNOWLEDGE, 1, 1,
		(struct io_ops){NULL, acknowledge}, a);
	start();
	assert_int_equal(irq_line_set(b, 1), 0);
	assert_int_equal(irq_line_set(a, 1), 0);
	/* the handler lets go of a only, so it comes again and again */
	for (int i = 0; i < 20000 && guest_read32(&guest, COUNT_LINE) < 10; i++)
		usleep(500);
	assert_true(guest_read32(&guest, COUNT_LINE) >= 10);
	/* closing drops what is held */
	irq_line_close(b);
	usleep(50000);
	seen = guest_read32(&guest, COUNT_LINE);
	usleep(100000);
	assert_int_equal(guest_read32(&guest, COUNT_LINE), seen);
	irq_line_close(a);
}

static void a_level_line_by_eventfd_tells_the_end_of_the_interrupt(void **state)
{
	struct irq_line *line;
	struct pollfd pfd;
	uint64_t count;
	int trigger, resample;

	(void)state;
	assert_int_equal(irq_line_open(guest.vm, LINE_GSI, VMM_IRQ_LEVEL, &line), 0);
	assert_int_equal(irq_line_fds(line, &trigger, &resample), 0);
	start();
	pfd = (struct pollfd){.fd = resample, .events = POLLIN};
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(poll(&pfd, 1, 0), 0);
		raise_fd(trigger);
		assert_int_equal(poll(&pfd, 1, 20000), 1);
		assert_int_equal(read(resample, &count, sizeof(count)), sizeof(count));
		expect_count(COUNT_LINE, i);
	}
	irq_line_close(line);
}

static void an_edge_line_by_eventfd_pulses(void **state)
{
	struct irq_line *line;
	int trigger, resample;

	(void)state;
	assert_int_equal(irq_line_open(guest.vm, LINE_GSI, VMM_IRQ_EDGE, &line), 0);
	assert_int_equal(irq_line_fds(line, &trigger, &resample), 0);
	assert_int_equal(resample, -1);
	irq_line_close(line);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_vector_interrupts_the_guest),
		T(P14_what_comes_while_masked_is_delivered_once_by_unmasking),
		T(cleared_while_masked_is_forgotten),
		T(a_changed_message_goes_to_its_new_vector),
		T(P13_an_impossible_message_masks_and_hurts_no_other),
		T(P14_nothing_is_lost_in_a_storm_of_masking),
		T(P14_vectors_are_used_again_without_end),
		T(a_line_interrupts_until_it_is_let_go),
		T(P16_a_shared_line_is_up_while_one_holds_it),
		T(a_level_line_by_eventfd_tells_the_end_of_the_interrupt),
		T(an_edge_line_by_eventfd_pulses),
	};

	if (!guest_possible())
		return 77;
	return cmocka_run_group_tests_name("kvm-guest-irq", tests, NULL, NULL);
}
