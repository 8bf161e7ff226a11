/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of cmocka's assertions those that tests/plugin/hostile/requests.c uses, where there is no cmocka.
 */
#ifndef GUEST_FUZZ_CMOCKA_H
#define GUEST_FUZZ_CMOCKA_H

#include "fake_internal.h"

#define assert_true(truth)                                                                         \
	do {                                                                                       \
		if (!(truth))                                                                      \
			fake_fail("not true: " #truth);                                            \
	} while (0)

#define assert_int_equal(a, b)                                                                     \
	do {                                                                                       \
		if ((uint64_t)(a) != (uint64_t)(b))                                                \
			fake_fail("not equal: " #a ", " #b);                                       \
	} while (0)

#define print_error(format, ...) ((void)(__VA_ARGS__))
#define fail()                   fake_fail("failed")

#endif
