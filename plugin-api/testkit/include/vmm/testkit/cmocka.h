/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes failures of the testkit failures of the running cmocka test. Include it behind cmocka.h.
 */
#ifndef VMM_TESTKIT_CMOCKA_H
#define VMM_TESTKIT_CMOCKA_H

#include <vmm/testkit/host.h>

static inline void fake_cmocka_fail(const char *text)
{
	print_error("%s\n", text);
	fail();
}

/** Call it once in main(), before cmocka_run_group_tests(). */
static inline void fake_use_cmocka(void)
{
	fake_set_fail_handler(fake_cmocka_fail);
}

#endif
