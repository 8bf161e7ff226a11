/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that end the machine: what is left of the keyboard controller and of system control
 * port A (resets, A20), ACPI sleep and reset registers; and the power button.
 *
 * There is no keyboard. The controller answers what a guest needs that resets or that switches A20,
 * and its status never claims to be busy, so that nobody waits for it for ever.
 */
#include "platform.h"

#define STATUS_FULL   0x01u /* a byte waits at the data port */
#define STATUS_IDLE   0x14u /* self-test passed, keyboard not locked */
#define CMD_READ_OUT  0xd0u
#define CMD_WRITE_OUT 0xd1u
#define CMD_PULSE     0xf0u /* 0xf0 to 0xff: lines whose bits are 0 are pulsed */
#define OUT_NO_RESET  0x01u /* output port: the reset line, active low */
#define OUT_A20       0x02u
#define PORT_A_RESET  0x01u
#define PORT_A_A20    0x02u

/* ACPI 6.4, 4.8.3.7: sleep control register. */
#define SLEEP_ENABLE  0x20u
#define SLEEP_TYPE(v) (((v) >> 2) & 7u)
#define SLEEP_TYPE_S5 5u /* as \_S5 in platform.asl says */

static void stop(struct platform *platform, uint32_t reason, const char *how)
{
	vmm_logf(&platform->log, platform->host, VMM_LOG_DEBUG, "%s by %s",
		reason == VMM_STOP_RESET ? "reset" : "power-off", how);
	platform->machine.stop(platform->host, reason, 0);
}

static int32_t i8042_data_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct platform *platform = ctx;

	(void)offset;
	(void)width;
	platform->i8042_full = false;
	*ret_value = platform->i8042_data;
	return 0;
}

static int32_t i8042_data_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct platform *platform = ctx;

	(void)offset;
	(void)width;
	if (platform->i8042_command == CMD_WRITE_OUT && !(value & OUT_NO_RESET))
		stop(platform, VMM_STOP_RESET, "the keyboard controller's output port");
	platform->i8042_command = 0;
	return 0;
}

static int32_t i8042_command_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct platform *platform = ctx;

	(void)offset;
	(void)width;
	*ret_value = STATUS_IDLE | (platform->i8042_full ? STATUS_FULL : 0);
	return 0;
}

static int32_t i8042_command_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct platform *platform = ctx;

	(void)offset;
	(void)width;
	platform->i8042_command = (uint8_t)value;
	if ((value & CMD_PULSE) == CMD_PULSE) {
		platform->i8042_command = 0;
		if (!(value & OUT_NO_RESET))
			stop(platform, VMM_STOP_RESET, "the keyboard controller");
	} else if (value == CMD_READ_OUT) {
		platform->i8042_data = OUT_NO_RESET | OUT_A20;
		platform->i8042_full = true;
	}
	return 0;
}

static int32_t port_a_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct platform *platform = ctx;

	(void)offset;
	(void)width;
	*ret_value = platform->port_a | PORT_A_A20; /* A20 cannot be switched off */
	return 0;
}

static int32_t port_a_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct platform *platform = ctx;

	(void)offset;
	(void)width;
	if ((value & PORT_A_RESET) && !(platform->port_a & PORT_A_RESET))
		stop(platform, VMM_STOP_RESET, "port 0x92");
	platform->port_a = (uint8_t)value;
	return 0;
}

static int32_t acpi_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)ctx;
	(void)offset;
	(void)width;
	*ret_value = 0; /* write-only registers; WAK_STS is never set: nothing sleeps and wakes */
	return 0;
}

static void sleep_control(struct platform *platform, uint64_t value)
{
	if (!(value & SLEEP_ENABLE))
		return;
	if (SLEEP_TYPE(value) == SLEEP_TYPE_S5)
		stop(platform, VMM_STOP_POWER_OFF, "ACPI");
	else
		vmm_guest_errorf(&platform->log, platform->host, "sleep-type",
			"sleep type %u was asked for; there is only %u, power-off",
			(unsigned)SLEEP_TYPE(value), SLEEP_TYPE_S5);
}

static int32_t acpi_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct platform *platform = ctx;

	(void)width;
	if (offset == PLATFORM_ACPI_SLEEP_CONTROL)
		sleep_control(platform, value);
	else if (offset == PLATFORM_ACPI_RESET && value == PLATFORM_ACPI_RESET_VALUE)
		stop(platform, VMM_STOP_RESET, "ACPI");
	return 0;
}

const struct vmm_io_ops power_i8042_data_ops = {
	.size = sizeof(power_i8042_data_ops), .read = i8042_data_read, .write = i8042_data_write};

const struct vmm_io_ops power_i8042_command_ops = {.size = sizeof(power_i8042_command_ops),
	.read = i8042_command_read,
	.write = i8042_command_write};

const struct vmm_io_ops power_port_a_ops = {
	.size = sizeof(power_port_a_ops), .read = port_a_read, .write = port_a_write};

const struct vmm_io_ops power_acpi_ops = {
	.size = sizeof(power_acpi_ops), .read = acpi_read, .write = acpi_write};

void power_event(void *ctx, uint32_t events)
{
	struct platform *platform = ctx;

	if (!(events & VMM_EVENT_POWER_BUTTON))
		return;
	/* An edge is the interrupt; the guest's GED driver asks nobody what happened. */
	platform->irq.line_set(platform->host, platform->event_line, 1);
	platform->irq.line_set(platform->host, platform->event_line, 0);
}
