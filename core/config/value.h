/* SPDX-License-Identifier: Apache-2.0 */
/* Single values: from a node by the rules of an option, and into words for messages and dumps. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/option.h>
#include <vmm/types.h>

#include "config/arena.h"
#include "config/node.h"

/** Enough for value_expected(), value_found() and the numbers below. */
#define VALUE_TEXT_BYTES 320

/** "256M" or "4096" to bytes; "10ms" to nanoseconds; "52:54:.." to 48 bits. False: it is none. */
bool value_parse_size(const char *text, int64_t *ret_bytes);
bool value_parse_duration(const char *text, int64_t *ret_ns);
bool value_parse_mac(const char *text, int64_t *ret_address);

/** The same backwards, in the largest unit that loses nothing. Return buffer. */
const char *value_format_size(int64_t bytes, char *buffer, size_t buffer_bytes);
const char *value_format_duration(int64_t time_ns, char *buffer, size_t buffer_bytes);
const char *value_format_mac(int64_t address, char *buffer, size_t buffer_bytes);

/** What an option wants: "a whole number from 1 to 64". Returns buffer. */
const char *value_expected(const struct vmm_option *option, char *buffer, size_t bytes);

/** What was found instead: "\"four\"", "a list". Returns buffer. */
const char *value_found(const struct node *node, char *buffer, size_t bytes);

/**
 * Sets number and text of value from a node, for all types but list and group. base_dir makes paths
 * absolute. Returns 0, VMM_E_INVAL: it does not fit the option, VMM_E_NOMEM.
 */
int value_from_node(struct arena *arena, const struct vmm_option *option, const struct node *node,
	const char *base_dir, struct vmm_value *value);

/** Writes a value in the syntax of config files. indent is for what follows a line break. */
void value_write(
	FILE *out, const struct vmm_option *option, const struct vmm_value *value, unsigned indent);

/** Writes `name = value;` for each value that is present, one a line. */
void value_write_group(FILE *out, const struct vmm_option *const *options, uint64_t count,
	const struct vmm_value *const *values, unsigned indent);

#endif
