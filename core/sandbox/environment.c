/* SPDX-License-Identifier: Apache-2.0 */
/* The environment: whoever starts vmm may have secrets in it, for other programs. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/private.h"

/* What may be read later: a name, or all that begin like this. */
static const char *const kept[] = {"LANG=", "TERM=", "TZ=", "UV_", "VMM_", "GCOV_"};

static bool is_kept(const char *variable)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!strncmp(variable, kept[i], strlen(kept[i])))
			return true;
	return false;
}

void environment_clean(void)
{
	char **left = environ;

	if (!environ)
		return;
	for (char **variable = environ; *variable; variable++) {
		if (is_kept(*variable))
			*left++ = *variable;
		else
			explicit_bzero(*variable, strlen(*variable));
	}
	*left = NULL;
}
