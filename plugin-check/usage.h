/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin takes of the process: files, threads, memory. Memory is counted, and made to run
 * out, by having the plugin's own calls of malloc() and the like go through functions of ours; what
 * libraries allocate for it is not seen.
 */
#ifndef PLUGIN_CHECK_USAGE_H
#define PLUGIN_CHECK_USAGE_H

#include <stdint.h>

#include <vmm/entry.h>

struct usage {
	uint32_t fds;
	uint32_t threads;
	uint64_t blocks; /* of memory, by the plugin's own code; 0 before usage_watch() */
};

void usage_read(struct usage *ret_usage);

/** Loads a plugin, without any check, and calls its entry function. NULL: there is none. */
const struct vmm_plugin_desc *usage_entry(const char *path);

/** From now on the memory of this plugin is counted. It is loaded if it is not yet. */
void usage_watch(const char *path);

/** The n-th allocation of the plugin from now on fails; 0: none does. */
void usage_fail_after(uint32_t n);

/** Has that happened? */
int usage_has_failed(void);

#endif
