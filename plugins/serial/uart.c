/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of the 16550A; see uart.h. Section numbers are those of the data sheet.
 */
#include "uart.h"

#include <string.h>

enum {
	REG_DATA = 0, /* RBR, THR; divisor low with DLAB */
	REG_IER = 1,  /* divisor high with DLAB */
	REG_IIR = 2,  /* FCR when written */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

#define IER_RX     0x01u
#define IER_THRE   0x02u
#define IER_LINE   0x04u
#define IER_MODEM  0x08u
#define IER_ALL    0x0fu
#define IIR_NONE   0x01u
#define IIR_MODEM  0x00u
#define IIR_THRE   0x02u
#define IIR_RX     0x04u
#define IIR_LINE   0x06u
#define IIR_TIMER  0x0cu /* character timeout */
#define IIR_FIFO   0xc0u
#define FCR_ENABLE 0x01u
#define FCR_RX     0x02u
#define LCR_DLAB   0x80u
#define MCR_DTR    0x01u
#define MCR_RTS    0x02u
#define MCR_OUT1   0x04u
#define MCR_OUT2   0x08u
#define MCR_LOOP   0x10u
#define MCR_ALL    0x1fu
#define LSR_DR     0x01u
#define LSR_OE     0x02u
#define LSR_THRE   0x20u
#define LSR_TEMT   0x40u
#define MSR_DCTS   0x01u
#define MSR_DDSR   0x02u
#define MSR_TERI   0x04u
#define MSR_DDCD   0x08u
#define MSR_CTS    0x10u
#define MSR_DSR    0x20u
#define MSR_RI     0x40u
#define MSR_DCD    0x80u

void uart_reset(struct uart *uart)
{
	memset(uart, 0, sizeof(*uart));
	uart->trigger = 1;
	/* Firmware would have set these; 8N1 at 9600 is what a boot loader expects. */
	uart->lcr = 0x03;
	uart->divisor_low = 12;
}

static uint32_t fifo_bytes(const struct uart *uart)
{
	return uart->fifo ? UART_FIFO_BYTES : 1;
}

static void clear_rx(struct uart *uart)
{
	uart->rx_start = 0;
	uart->rx_count = 0;
}

static void push_rx(struct uart *uart, uint8_t byte)
{
	uart->rx[(uart->rx_start + uart->rx_count) % UART_FIFO_BYTES] = byte;
	uart->rx_count++;
}

/* 8.6, table II: the cause with the highest priority. */
static uint8_t cause(const struct uart *uart)
{
	if ((uart->ier & IER_LINE) && uart->line_errors)
		return IIR_LINE;
	if ((uart->ier & IER_RX) && uart->rx_count) {
		/*
		 * Below the trigger level the chip waits for four character times. There is no
		 * line here whose speed could be waited for: the timeout is over at once.
		 */
		return uart->rx_count >= uart->trigger ? IIR_RX : IIR_TIMER;
	}
	if ((uart->ier & IER_THRE) && uart->thre_pending)
		return IIR_THRE;
	if ((uart->ier & IER_MODEM) && uart->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

bool uart_irq(const struct uart *uart)
{
	/* OUT2 does not gate it: kernels that do not set that bit are served as well. */
	return cause(uart) != IIR_NONE;
}

/* Somebody is always there; in loopback the outputs are the inputs (8.7, bit 4). */
static uint8_t modem_lines(const struct uart *uart)
{
	uint8_t lines = 0;

	if (!(uart->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (uart->mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (uart->mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (uart->mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (uart->mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static void write_mcr(struct uart *uart, uint8_t value)
{
	uint8_t before = modem_lines(uart);

	uart->mcr = value & MCR_ALL;

	uint8_t after = modem_lines(uart);
	uint8_t changed = before ^ after;

	if (changed & MSR_CTS)
		uart->msr_delta |= MSR_DCTS;
	if (changed & MSR_DSR)
		uart->msr_delta |= MSR_DDSR;
	if (changed & before & MSR_RI)
		uart->msr_delta |= MSR_TERI; /* the trailing edge only */
	if (changed & MSR_DCD)
		uart->msr_delta |= MSR_DDCD;
}

/* 8.5: the other bits count only while bit 0 is written as 1. */
static void write_fcr(struct uart *uart, uint8_t value)
{
	static const uint8_t triggers[] = {1, 4, 8, 14};
	bool enable = value & FCR_ENABLE;

	if (enable != uart->fifo || (enable && (value & FCR_RX)))
		clear_rx(uart);
	uart->fifo = enable;
	uart->trigger = enable ? triggers[value >> 6] : 1;
}

static void write_ier(struct uart *uart, uint8_t value)
{
	/* The transmitter is empty, so enabling its interrupt raises it, each time. */
	if (!(value & IER_THRE))
		uart->thre_pending = false;
	else if (!(uart->ier & IER_THRE))
		uart->thre_pending = true;
	uart->ier = value & IER_ALL;
}

static bool write_data(struct uart *uart, uint8_t value)
{
	uart->thre_pending = true;
	if (!(uart->mcr & MCR_LOOP))
		return true;
	if (uart->rx_count < fifo_bytes(uart))
		push_rx(uart, value);
	else
		uart->line_errors |= LSR_OE;
	return false;
}

bool uart_write(struct uart *uart, uint32_t offset, uint8_t value, uint8_t *ret_byte)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		if (!dlab) {
			*ret_byte = value;
			return write_data(uart, value);
		}
		uart->divisor_low = value;
		break;
	case REG_IER:
		if (dlab)
			uart->divisor_high = value;
		else
			write_ier(uart, value);
		break;
	case REG_IIR:
		write_fcr(uart, value);
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		write_mcr(uart, value);
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	default: /* LSR, MSR: read only */
		break;
	}
	return false;
}

static uint8_t read_data(struct uart *uart)
{
	uint8_t byte = uart->rx[uart->rx_start];

	/* An empty receiver still shows the last byte. */
	if (!uart->rx_count)
		return uart->rx[(uart->rx_start + UART_FIFO_BYTES - 1) % UART_FIFO_BYTES];
	uart->rx_start = (uint8_t)((uart->rx_start + 1) % UART_FIFO_BYTES);
	uart->rx_count--;
	return byte;
}

static uint8_t read_iir(struct uart *uart)
{
	uint8_t value = cause(uart);

	/* Reading it is one of the two ways to clear this cause; the other is writing data. */
	if (value == IIR_THRE)
		uart->thre_pending = false;
	return uart->fifo ? value | IIR_FIFO : value;
}

static uint8_t read_lsr(struct uart *uart)
{
	uint8_t value = LSR_THRE | LSR_TEMT | uart->line_errors;

	if (uart->rx_count)
		value |= LSR_DR;
	uart->line_errors = 0;
	return value;
}

static uint8_t read_msr(struct uart *uart)
{
	uint8_t value = modem_lines(uart) | uart->msr_delta;

	uart->msr_delta = 0;
	return value;
}

uint8_t uart_read(struct uart *uart, uint32_t offset)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		return dlab ? uart->divisor_low : read_data(uart);
	case REG_IER:
		return dlab ? uart->divisor_high : uart->ier;
	case REG_IIR:
		return read_iir(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		return read_lsr(uart);
	case REG_MSR:
		return read_msr(uart);
	default:
		return uart->scr;
	}
}

uint32_t uart_room(const struct uart *uart)
{
	/* In loopback the input is cut off from the line: it waits outside. */
	if (uart->mcr & MCR_LOOP)
		return 0;
	return fifo_bytes(uart) - uart->rx_count;
}

void uart_receive(struct uart *uart, uint8_t byte)
{
	if (uart_room(uart))
		push_rx(uart, byte);
}

bool uart_wants_input(const struct uart *uart)
{
	return !(uart->mcr & MCR_LOOP) && uart->rx_count <= fifo_bytes(uart) / 2;
}
