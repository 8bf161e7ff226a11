/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units: sizes, durations and MAC addresses, from text and back. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit size_units[] = {
	{"T", 1ll << 40},
	{"G", 1ll << 30},
	{"M", 1ll << 20},
	{"K", 1ll << 10},
	{"", 1},
};

static const struct unit duration_units[] = {
	{"s", 1000000000},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool parse_with_unit(
	const char *text, const struct unit *units, size_t count, int64_t *ret_number)
{
	char *end;
	long long number;
	int64_t result;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (__builtin_mul_overflow(number, units[i].factor, &result))
			return false;
		*ret_number = result;
		return true;
	}
	return false;
}

static const char *format_with_unit(
	int64_t number, const struct unit *units, size_t count, char *buffer, size_t bytes)
{
	size_t i = 0;

	/* 0 has no largest unit: take the smallest. */
	while (i + 1 < count && (!number || number % units[i].factor))
		i++;
	snprintf(buffer, bytes, "%" PRId64 "%s", number / units[i].factor, units[i].suffix);
	return buffer;
}

bool value_parse_size(const char *text, int64_t *ret_bytes)
{
	return parse_with_unit(text, size_units, COUNT(size_units), ret_bytes);
}

const char *value_format_size(int64_t bytes, char *buffer, size_t buffer_bytes)
{
	return format_with_unit(bytes, size_units, COUNT(size_units), buffer, buffer_bytes);
}

bool value_parse_duration(const char *text, int64_t *ret_ns)
{
	if (!strcmp(text, "0")) {
		*ret_ns = 0;
		return true;
	}
	return parse_with_unit(text, duration_units, COUNT(duration_units), ret_ns);
}

const char *value_format_duration(int64_t time_ns, char *buffer, size_t buffer_bytes)
{
	return format_with_unit(
		time_ns, duration_units, COUNT(duration_units), buffer, buffer_bytes);
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char)tolower((unsigned char)digit);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool value_parse_mac(const char *text, int64_t *ret_address)
{
	int64_t address = 0;

	for (unsigned i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i == 5 ? '\0' : ':'))
			return false;
		address = address << 8 | high << 4 | low;
	}
	*ret_address = address;
	return true;
}

const char *value_format_mac(int64_t address, char *buffer, size_t buffer_bytes)
{
	uint64_t bits = (uint64_t)address;

	snprintf(buffer, buffer_bytes, "%02x:%02x:%02x:%02x:%02x:%02x",
		(unsigned)(bits >> 40) & 0xffu, (unsigned)(bits >> 32) & 0xffu,
		(unsigned)(bits >> 24) & 0xffu, (unsigned)(bits >> 16) & 0xffu,
		(unsigned)(bits >> 8) & 0xffu, (unsigned)bits & 0xffu);
	return buffer;
}
