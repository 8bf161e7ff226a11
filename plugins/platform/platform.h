/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform device: the small things that a PC has on its board. One object; rtc.h is the model
 * of the clock in it, power.c the registers that end the machine.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include <vmm/support.h>

#include "rtc.h"

/* Guest-visible numbers of machine type pc-1.0; platform.asl has them too. */
#define PLATFORM_PORT_I8042_DATA    0x60u
#define PLATFORM_PORT_I8042_COMMAND 0x64u
#define PLATFORM_PORT_RTC           0x70u /* index; 0x71 is data */
#define PLATFORM_PORT_A             0x92u /* system control port A */
#define PLATFORM_PORT_ACPI          0x600u
#define PLATFORM_GSI_RTC            8u
#define PLATFORM_GSI_EVENT          9u

/* Registers in the ACPI region. */
#define PLATFORM_ACPI_SLEEP_CONTROL 0u
#define PLATFORM_ACPI_SLEEP_STATUS  1u
#define PLATFORM_ACPI_RESET         2u
#define PLATFORM_ACPI_BYTES         3u
#define PLATFORM_ACPI_RESET_VALUE   0x01u

#define PLATFORM_REGIONS 5u

struct platform {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_irq irq;
	struct vmm_loop loop;
	struct vmm_log log;
	struct vmm_acpi acpi;
	struct vmm_machine machine;

	uint64_t regions[PLATFORM_REGIONS];
	uint32_t region_count;
	uint64_t rtc_line, event_line;
	bool has_rtc_line, has_event_line;
	uint64_t wall_timer, tick_timer; /* on VMM_CLOCK_REAL and _VM */
	uint64_t wall_deadline, tick_deadline;
	bool has_wall_timer, has_tick_timer;

	struct rtc rtc;
	uint32_t rtc_level;

	uint8_t i8042_data;    /* what port 0x60 gives */
	bool i8042_full;       /* and that it is something new */
	uint8_t i8042_command; /* the one that waits for its data byte, or 0 */
	uint8_t port_a;
};

/** Registers of power.c: ops of the regions; ctx is the struct platform. */
extern const struct vmm_io_ops power_i8042_data_ops;
extern const struct vmm_io_ops power_i8042_command_ops;
extern const struct vmm_io_ops power_port_a_ops;
extern const struct vmm_io_ops power_acpi_ops;

/** The power button was pressed: vmm_event_cb. */
void power_event(void *ctx, uint32_t events);

extern const struct vmm_device_type platform_type;
extern const struct vmm_device_type debug_exit_type;

#endif
