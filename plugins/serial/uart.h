/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A UART as registers: National Semiconductor's data sheet PC16550D, of June 1995. Pure: it
 * knows no host, no thread and no time. What is sent leaves at once, so the transmitter is always
 * empty, and what is received has no errors.
 */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_PORTS      8u
#define UART_FIFO_BYTES 16u

struct uart {
	uint8_t ier;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	uint8_t divisor_low;
	uint8_t divisor_high;
	uint8_t line_errors; /* LSR bits that a read of LSR clears */
	uint8_t msr_delta;   /* MSR bits that a read of MSR clears */
	uint8_t trigger;     /* bytes in the FIFO for "received data available" */
	bool fifo;           /* enabled: 16 bytes, else 1 */
	bool thre_pending;   /* the transmitter became empty and nobody was told */
	uint8_t rx_start;
	uint8_t rx_count;
	uint8_t rx[UART_FIFO_BYTES];
};

/** State after a hardware reset. */
void uart_reset(struct uart *uart);

/** Reads the register at offset 0 to 7, with what that changes. */
uint8_t uart_read(struct uart *uart, uint32_t offset);

/** Writes a register. True if *ret_byte is to be sent. */
bool uart_write(struct uart *uart, uint32_t offset, uint8_t value, uint8_t *ret_byte);

/** How many bytes can be received now. */
uint32_t uart_room(const struct uart *uart);

/** A byte came; only with room. */
void uart_receive(struct uart *uart, uint8_t byte);

/** Level of the interrupt output. */
bool uart_irq(const struct uart *uart);

/** True if the receiver is at most half full: time to ask for more. */
bool uart_wants_input(const struct uart *uart);

#endif
