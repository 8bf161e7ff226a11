/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of a device type: a static schema that the core checks a config file against before
 * anything is created, and the typed values that create() gets.
 */
#ifndef VMM_OPTION_H
#define VMM_OPTION_H

#include <vmm/types.h>

/* Types of options. What `number` of struct vmm_value holds is in brackets. */
#define VMM_OPT_BOOL     100u /* true or false [0, 1] */
#define VMM_OPT_INT      200u /* signed integer [the integer] */
#define VMM_OPT_UINT     300u /* unsigned integer up to 2^63-1 [the integer] */
#define VMM_OPT_SIZE     400u /* "256M": bytes, suffixes K M G T are powers of 1024 [bytes] */
#define VMM_OPT_DURATION 500u /* "10ms": suffixes ns us ms s [nanoseconds] */
#define VMM_OPT_STRING   600u /* text [unused; text holds it] */
#define VMM_OPT_ENUM     700u /* one of enum_names [its index]; text holds the name */
#define VMM_OPT_PATH     800u /* path of a file; relative to the config file; text: made absolute */
#define VMM_OPT_FD       900u /* number of a file descriptor that vmm inherited [the fd] */
#define VMM_OPT_MAC      1000u /* "52:54:00:12:34:56" [the 48 bits, first byte highest] */
#define VMM_OPT_LIST     1100u /* ( ... ) or [ ... ] of members[0] [unused; items] */
#define VMM_OPT_GROUP    1200u /* { ... } of members [unused; items, in the order of members] */
#define VMM_OPT_REF      1300u /* id of a device that offers interface_id [handle for query_ref] */

/* Flags of an option. */
#define VMM_OPT_REQUIRED   0x1u
#define VMM_OPT_DEPRECATED 0x2u /* still works; a warning is printed */
#define VMM_OPT_SECRET     0x4u /* never printed or logged */
#define VMM_OPT_LIVE       0x8u /* can be changed while the guest runs */

/**
 * One option. Static, constant, valid for the life of the process.
 *
 * An option without VMM_OPT_REQUIRED and without default_text is absent when it is not given. A
 * VMM_OPT_REF that is not given means the only device that offers interface_id; if there are
 * several it must be given. If it is not required and there is no such device it is absent.
 */
struct vmm_option {
	uint64_t struct_size;
	const char *name;         /* config key: lower case, digits, '_' */
	uint32_t type;            /* VMM_OPT_... */
	uint32_t flags;           /* VMM_OPT_REQUIRED ... */
	const char *default_text; /* as a user would write it, strings without quotes; or NULL */
	int64_t min;              /* numbers: smallest value; strings and lists: smallest length */
	int64_t max;              /* likewise largest; min == max == 0 means no limit */
	const char *unit;         /* of a plain number, for people: "sectors"; or NULL */
	const char *const *enum_names;
	uint64_t enum_count;
	const char *interface_id; /* VMM_OPT_REF: "vmm.pci.bus/1" */
	const struct vmm_option *const *members;
	uint64_t member_count;
	const char *doc;      /* one line for people; must not be empty */
	uint32_t since_minor; /* minor version of the plugin's type in which it appeared */
	uint32_t reserved;    /* 0 */
};
VMM_ASSERT_SIZE(vmm_option, 112);
VMM_ASSERT_OFFSET(vmm_option, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_option, name, 8);
VMM_ASSERT_OFFSET(vmm_option, type, 16);
VMM_ASSERT_OFFSET(vmm_option, flags, 20);
VMM_ASSERT_OFFSET(vmm_option, default_text, 24);
VMM_ASSERT_OFFSET(vmm_option, min, 32);
VMM_ASSERT_OFFSET(vmm_option, max, 40);
VMM_ASSERT_OFFSET(vmm_option, unit, 48);
VMM_ASSERT_OFFSET(vmm_option, enum_names, 56);
VMM_ASSERT_OFFSET(vmm_option, enum_count, 64);
VMM_ASSERT_OFFSET(vmm_option, interface_id, 72);
VMM_ASSERT_OFFSET(vmm_option, members, 80);
VMM_ASSERT_OFFSET(vmm_option, member_count, 88);
VMM_ASSERT_OFFSET(vmm_option, doc, 96);
VMM_ASSERT_OFFSET(vmm_option, since_minor, 104);
VMM_ASSERT_OFFSET(vmm_option, reserved, 108);

/* Flags of a value. */
#define VMM_VALUE_PRESENT 0x1u /* given or by default */
#define VMM_VALUE_GIVEN   0x2u /* written in the config file or by -s */

/** The checked value of one option. Owned by the core; valid until destroy. */
struct vmm_value {
	uint64_t struct_size;
	uint32_t type;  /* VMM_OPT_... */
	uint32_t flags; /* VMM_VALUE_... */
	int64_t number;
	const char *text; /* NULL where the type has none */
	const struct vmm_value *const *items;
	uint64_t item_count;
	const char *file; /* where it was written, or NULL */
	uint32_t line;
	uint32_t reserved; /* 0 */
};
VMM_ASSERT_SIZE(vmm_value, 64);
VMM_ASSERT_OFFSET(vmm_value, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_value, type, 8);
VMM_ASSERT_OFFSET(vmm_value, flags, 12);
VMM_ASSERT_OFFSET(vmm_value, number, 16);
VMM_ASSERT_OFFSET(vmm_value, text, 24);
VMM_ASSERT_OFFSET(vmm_value, items, 32);
VMM_ASSERT_OFFSET(vmm_value, item_count, 40);
VMM_ASSERT_OFFSET(vmm_value, file, 48);
VMM_ASSERT_OFFSET(vmm_value, line, 56);
VMM_ASSERT_OFFSET(vmm_value, reserved, 60);

#endif
