/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial port as a guest sees it: registers, FIFOs and interrupts of a 16550A, and the rows of
 * a hostile guest that touch it.
 */
#include <string.h>

#include "fixture.h"

static int setup(void **state)
{
	static struct com1 com1;

	com1.host = fake_host_create(NULL);
	fake_plugin_load(com1.host, FAKE_PLUGIN("serial"));
	if (fake_device_add(com1.host, "serial", "com1", NULL, &com1.device) < 0 ||
		fake_host_start(com1.host) < 0)
		return -1;
	*state = &com1;
	return 0;
}

static int teardown(void **state)
{
	fake_host_destroy(((struct com1 *)*state)->host);
	return 0;
}

/* --- Sending --- */

static void test_bytes_written_go_out_in_order(void **state)
{
	struct com1 *com1 = *state;

	for (const char *c = "hello"; *c; c++) {
		assert_int_equal(in(com1, LSR), 0x60);
		out(com1, DATA, (uint8_t)*c);
	}
	assert_int_equal(in(com1, LSR), 0x60);
	assert_true(fake_stream_output_is(com1->device, "hello"));
	assert_int_equal(irqs(com1), 0);
}

static void test_s2_a_stalled_reader_does_not_stop_the_guest(void **state)
{
	struct com1 *com1 = *state;

	fake_stream_room(com1->device, 2);
	for (int i = 0; i < 1000; i++) {
		out(com1, DATA, 'x');
		assert_int_equal(in(com1, LSR), 0x60);
	}
	assert_true(fake_stream_output_is(com1->device, "xx"));
}

static void test_s4_thre_interrupts_once_for_each_enable_and_each_byte(void **state)
{
	struct com1 *com1 = *state;

	out(com1, IER, 0x02);
	assert_int_equal(irqs(com1), 1);
	assert_int_equal(in(com1, IIR), 0x02);
	/* Reading IIR took it back, although the transmitter is still empty. */
	assert_int_equal(fake_line_level(com1->host, GSI), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(in(com1, IIR), 0x01);
	assert_int_equal(irqs(com1), 1);
	/* Left enabled, as Windows does: one interrupt for what was written. */
	out(com1, DATA, 'a');
	assert_int_equal(irqs(com1), 2);
	assert_int_equal(in(com1, IIR), 0x02);
	/* Writing the same value again is no new enable. */
	out(com1, IER, 0x02);
	assert_int_equal(irqs(com1), 2);
	out(com1, IER, 0x00);
	out(com1, IER, 0x02);
	assert_int_equal(irqs(com1), 3);
	assert_int_equal(in(com1, IIR), 0x02);
}

static void test_sixteen_bytes_in_one_interrupt_make_one_more(void **state)
{
	struct com1 *com1 = *state;

	out(com1, FCR, 0x01);
	out(com1, IER, 0x02);
	assert_int_equal(in(com1, IIR), 0xc2);
	for (int i = 0; i < 16; i++)
		out(com1, DATA, 'y');
	assert_int_equal(irqs(com1), 2);
}

/* --- Receiving --- */

static void test_input_raises_an_interrupt_and_is_read_in_order(void **state)
{
	struct com1 *com1 = *state;

	out(com1, FCR, 0x01);
	out(com1, IER, 0x01);
	feed(com1, "abc", 3);
	assert_int_equal(irqs(com1), 1);
	assert_int_equal(in(com1, IIR), 0xc4);
	assert_int_equal(in(com1, LSR), 0x61);
	assert_int_equal(in(com1, DATA), 'a');
	assert_int_equal(in(com1, DATA), 'b');
	assert_int_equal(fake_line_level(com1->host, GSI), 1);
	assert_int_equal(in(com1, DATA), 'c');
	assert_int_equal(fake_line_level(com1->host, GSI), 0);
	assert_int_equal(in(com1, IIR), 0xc1);
	assert_int_equal(in(com1, LSR), 0x60);
	assert_int_equal(in(com1, DATA), 'c');
}

static void test_below_the_trigger_level_the_cause_is_the_character_timeout(void **state)
{
	struct com1 *com1 = *state;

	out(com1, FCR, 0x81); /* 8 bytes */
	out(com1, IER, 0x01);
	feed(com1, "1234567", 7);
	assert_int_equal(in(com1, IIR), 0xcc);
	feed(com1, "8", 1);
	assert_int_equal(in(com1, IIR), 0xc4);
	assert_int_equal(in(com1, DATA), '1');
	assert_int_equal(in(com1, IIR), 0xcc);
}

static void test_s1_input_that_nobody_reads_stays_outside(void **state)
{
	struct com1 *com1 = *state;
	uint8_t flood[1000];

	memset(flood, 'f', sizeof(flood));
	feed(com1, flood, sizeof(flood));
	assert_int_equal(fake_stream_unread(com1->device), 999); /* without FIFO: one byte */
	out(com1, FCR, 0x01);
	fake_settle(com1->host);
	/* Switching the FIFO on clears it, and makes room. */
	assert_int_equal(fake_stream_unread(com1->device), 999 - 16);
	for (int i = 0; i < 999; i++) {
		assert_int_equal(in(com1, LSR), 0x61);
		assert_int_equal(in(com1, DATA), 'f');
		fake_settle(com1->host);
	}
	assert_int_equal(in(com1, LSR), 0x60);
	assert_int_equal(fake_stream_unread(com1->device), 0);
}

static void test_s3_enabling_the_interrupt_after_data_came_raises_it(void **state)
{
	struct com1 *com1 = *state;

	out(com1, FCR, 0x01);
	out(com1, IER, 0x01);
	out(com1, IER, 0x00);
	feed(com1, "x", 1);
	assert_int_equal(irqs(com1), 0);
	assert_int_equal(in(com1, IIR), 0xc1);
	out(com1, IER, 0x01);
	assert_int_equal(irqs(com1), 1);
	out(com1, IER, 0x00);
	assert_int_equal(fake_line_level(com1->host, GSI), 0);
	out(com1, IER, 0x01);
	assert_int_equal(irqs(com1), 2);
	assert_int_equal(in(com1, DATA), 'x');
}

static void test_the_cause_with_the_highest_priority_comes_first(void **state)
{
	struct com1 *com1 = *state;

	out(com1, IER, 0x0f);
	out(com1, MCR, 0x10); /* loopback: the modem lines fall */
	out(com1, DATA, 'a');
	out(com1, DATA, 'b'); /* overrun: there is no FIFO */
	assert_int_equal(in(com1, IIR), 0x06);
	assert_int_equal(in(com1, LSR), 0x63);
	assert_int_equal(in(com1, LSR), 0x61);
	assert_int_equal(in(com1, IIR), 0x04);
	assert_int_equal(in(com1, DATA), 'a');
	assert_int_equal(in(com1, IIR), 0x02);
	assert_int_equal(in(com1, IIR), 0x00);
	assert_int_equal(in(com1, MSR), 0x0b);
	assert_int_equal(in(com1, IIR), 0x01);
	assert_int_equal(fake_line_level(com1->host, GSI), 0);
}

/* --- Row S5: the registers of a 16550 --- */

static void test_s5_the_divisor_is_behind_dlab_and_sends_nothing(void **state)
{
	struct com1 *com1 = *state;

	out(com1, IER, 0x05);
	out(com1, LCR, 0x83);
	out(com1, DATA, 0x34);
	out(com1, IER, 0x12);
	assert_int_equal(in(com1, DATA), 0x34);
	assert_int_equal(in(com1, IER), 0x12);
	assert_int_equal(in(com1, LCR), 0x83);
	out(com1, LCR, 0x03);
	assert_int_equal(in(com1, IER), 0x05);
	assert_true(fake_stream_output_is(com1->device, ""));
}

static void test_s5_data_is_kept_while_dlab_is_set(void **state)
{
	struct com1 *com1 = *state;

	out(com1, FCR, 0x01);
	feed(com1, "k", 1);
	out(com1, LCR, 0x80);
	(void)in(com1, DATA);
	assert_int_equal(in(com1, LSR), 0x61);
	out(com1, LCR, 0x00);
	assert_int_equal(in(com1, DATA), 'k');
}

static void test_s5_scratch_keeps_and_read_only_registers_do_not(void **state)
{
	struct com1 *com1 = *state;

	out(com1, SCR, 0xa5);
	assert_int_equal(in(com1, SCR), 0xa5);
	out(com1, LSR, 0xff);
	out(com1, MSR, 0xff);
	assert_int_equal(in(com1, LSR), 0x60);
	assert_int_equal(in(com1, MSR), 0xb0);
	out(com1, IER, 0xff);
	assert_int_equal(in(com1, IER), 0x0f);
	out(com1, MCR, 0xff);
	assert_int_equal(in(com1, MCR), 0x1f);
}

static void test_s5_fcr_flushes_the_receiver_and_makes_room(void **state)
{
	struct com1 *com1 = *state;
	uint8_t data[40];

	memset(data, 'a', 16);
	memset(data + 16, 'b', 24);
	out(com1, FCR, 0x01);
	out(com1, IER, 0x01);
	feed(com1, data, sizeof(data));
	assert_int_equal(fake_stream_unread(com1->device), 24);
	out(com1, FCR, 0x03);
	assert_int_equal(in(com1, LSR), 0x60);
	assert_int_equal(fake_line_level(com1->host, GSI), 0);
	fake_settle(com1->host);
	assert_int_equal(in(com1, DATA), 'b');
	/* The transmitter's flush leaves the receiver alone. */
	out(com1, FCR, 0x05);
	assert_int_equal(in(com1, LSR), 0x61);
	/* Without bit 0 the others do not count, and the FIFO is off. */
	out(com1, FCR, 0x80);
	assert_int_equal(in(com1, IIR), 0x01);
	assert_int_equal(in(com1, LSR), 0x60);
}

static void test_s5_loopback_returns_bytes_and_modem_lines(void **state)
{
	struct com1 *com1 = *state;

	out(com1, FCR, 0x01);
	assert_int_equal(in(com1, MSR), 0xb0);
	out(com1, MCR, 0x10);
	assert_int_equal(in(com1, MSR), 0x0b);
	out(com1, MCR, 0x1f);
	assert_int_equal(in(com1, MSR), 0xfb);
	out(com1, MCR, 0x1b); /* OUT1 falls: the trailing edge of RI */
	assert_int_equal(in(com1, MSR), 0xb4);
	feed(com1, "outside", 7);
	for (int i = 0; i < 17; i++)
		out(com1, DATA, (uint8_t)('A' + i));
	assert_int_equal(in(com1, LSR), 0x63);
	for (int i = 0; i < 16; i++)
		assert_int_equal(in(com1, DATA), 'A' + i);
	assert_int_equal(in(com1, LSR), 0x60);
	assert_true(fake_stream_output_is(com1->device, ""));
	/* What came from outside waited there. */
	out(com1, MCR, 0x0b);
	fake_settle(com1->host);
	for (const char *c = "outside"; *c; c++)
		assert_int_equal(in(com1, DATA), *c);
}

/* --- Access widths and load --- */

static void test_s6_a_million_polls_of_lsr_change_nothing(void **state)
{
	struct com1 *com1 = *state;

	for (int i = 0; i < 1000000; i++)
		(void)in(com1, LSR);
	assert_int_equal(in(com1, LSR), 0x60);
	assert_int_equal(irqs(com1), 0);
}

static void test_s7_wide_accesses_are_bytes_to_the_ports_that_follow(void **state)
{
	struct com1 *com1 = *state;

	fake_pio_write(com1->host, COM1 + SCR, 1, 0x5a);
	fake_pio_write(com1->host, COM1 + LCR, 2, 0x0b03); /* LCR, MCR */
	assert_int_equal(in(com1, LCR), 0x03);
	assert_int_equal(in(com1, MCR), 0x0b);
	assert_int_equal(fake_pio_read(com1->host, COM1 + MCR, 4), 0x5ab0600b);
	/* The last port and nobody's behind it. */
	assert_int_equal(fake_pio_read(com1->host, COM1 + SCR, 4), 0xffffff5a);
	fake_pio_write(com1->host, COM1 + SCR, 4, 0x11223344);
	assert_int_equal(in(com1, SCR), 0x44);
}

/* Every register with every value, each followed by reads: nothing may break. */
static void test_any_sequence_of_writes_leaves_a_working_port(void **state)
{
	struct com1 *com1 = *state;
	uint32_t random = 12345;
	uint8_t drain[4096];

	for (int i = 0; i < 200000; i++) {
		random = random * 1664525u + 1013904223u;
		if (random & 0x80000000u)
			out(com1, random >> 8 & 7, (uint8_t)(random >> 16));
		else
			(void)in(com1, random >> 8 & 7);
		if (!(random >> 11 & 0xff))
			feed(com1, "some input", 10);
		if (!(random >> 11 & 0xfff))
			(void)fake_stream_output(com1->device, drain, sizeof(drain));
	}
	while (fake_stream_output(com1->device, drain, sizeof(drain)))
		;
	out(com1, LCR, 0x03);
	out(com1, MCR, 0x00);
	out(com1, IER, 0x00);
	out(com1, FCR, 0x00);
	out(com1, DATA, '!');
	assert_true(fake_stream_output_is(com1->device, "!"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_written_go_out_in_order),
		TEST(test_s2_a_stalled_reader_does_not_stop_the_guest),
		TEST(test_s4_thre_interrupts_once_for_each_enable_and_each_byte),
		TEST(test_sixteen_bytes_in_one_interrupt_make_one_more),
		TEST(test_input_raises_an_interrupt_and_is_read_in_order),
		TEST(test_below_the_trigger_level_the_cause_is_the_character_timeout),
		TEST(test_s1_input_that_nobody_reads_stays_outside),
		TEST(test_s3_enabling_the_interrupt_after_data_came_raises_it),
		TEST(test_the_cause_with_the_highest_priority_comes_first),
		TEST(test_s5_the_divisor_is_behind_dlab_and_sends_nothing),
		TEST(test_s5_data_is_kept_while_dlab_is_set),
		TEST(test_s5_scratch_keeps_and_read_only_registers_do_not),
		TEST(test_s5_fcr_flushes_the_receiver_and_makes_room),
		TEST(test_s5_loopback_returns_bytes_and_modem_lines),
		TEST(test_s6_a_million_polls_of_lsr_change_nothing),
		TEST(test_s7_wide_accesses_are_bytes_to_the_ports_that_follow),
		TEST(test_any_sequence_of_writes_leaves_a_working_port),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
