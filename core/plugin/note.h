/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF note of a plugin file, read from the file itself: nothing of the plugin has run, and
 * nothing is mapped. The file may be anything.
 */
#ifndef PLUGIN_NOTE_H
#define PLUGIN_NOTE_H

#include <vmm/entry.h>

/**
 * Reads the note and checks that the file can be loaded as it is: a whole x86-64 shared object with
 * all symbols bound at load time. A note that is shorter than ours is extended with zeroes. Error
 * texts are predicates ("is not an ELF file").
 */
int plugin_note_read(int fd, struct vmm_plugin_note *ret_note, struct vmm_error *error);

/** Does this core speak the plugin's ABI (rules of versions, architecture, C library)? */
int plugin_note_check(const struct vmm_plugin_note *note, struct vmm_error *error);

#endif
