/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of core/boot: a guest's RAM, kernels made to measure, and looks into guest memory.
 */
#ifndef TESTS_UNIT_BOOT_KIT_H
#define TESTS_UNIT_BOOT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/boot.h"
#include "boot/map.h"
#include "kvm/vcpu_state.h"
#include "memory/memory.h"

#define KIT_MIB       UINT64_C(0x100000)
#define KIT_RSDP      UINT64_C(0xe0000)
#define KIT_IMAGE_MAX 0x10000u

/** A file image under construction. */
struct kit_image {
	uint8_t bytes[KIT_IMAGE_MAX];
	uint64_t length;
};

/** One boot: what goes in and what came out. */
struct kit {
	struct memory *memory;
	struct boot_config config;
	struct vcpu_state state;
	struct boot_result result;
	char text[512];
	struct vmm_error error;
	int fds[16]; /* files made by kit_file */
	int fd_count;
	char paths[16][32];
};

/** A guest with that much RAM; every file is added by hand. */
struct kit *kit_create(uint64_t ram_bytes);
void kit_destroy(struct kit *kit);

/** cmocka fixtures with 64 MiB. */
int kit_set_up(void **state);
int kit_tear_down(void **state);

/** A file with that content; gives its path. */
const char *kit_file(struct kit *kit, const void *bytes, uint64_t length);

/** A file of `length` bytes that starts with a byte of `fill` and is sparse behind it. */
const char *kit_sparse(struct kit *kit, uint64_t length, uint8_t fill);

/** boot_load with the image as the kernel, or of what config says. */
int kit_boot_image(struct kit *kit, const struct kit_image *image);
int kit_boot(struct kit *kit);

/** Boots and checks that it fails with that code and that the text has `part` in it. */
void kit_expect(struct kit *kit, const struct kit_image *image, int code, const char *part);

void kit_put(struct kit_image *image, uint64_t at, uint64_t value, unsigned bytes);
void kit_put_bytes(struct kit_image *image, uint64_t at, const void *bytes, uint64_t length);
uint64_t kit_get(struct kit *kit, uint64_t gpa, unsigned bytes);
/** The string at gpa; valid until the next call. */
const char *kit_string(struct kit *kit, uint64_t gpa);

/*
 * Kernels that are accepted as they are. Offsets that tests change:
 */
#define KIT_LINUX_PAYLOAD 0x400u  /* in the file: one setup sector */
#define KIT_LINUX_BYTES   0x1000u /* of the payload */
#define KIT_LINUX_PREF    UINT64_C(0x1000000)
#define KIT_LINUX_INIT    0x200000u
void kit_linux(struct kit_image *image);

#define KIT_ELF_GPA   0x200000u
#define KIT_ELF_ENTRY 0x200010u
#define KIT_ELF_DATA  0x1000u /* offset in the file of the segment */
#define KIT_ELF_FILE  0x800u  /* bytes of it in the file */
#define KIT_ELF_MEM   0x3000u /* and in memory */
/** ELF with one PT_LOAD and a PVH note; wide: ELF64. */
void kit_pvh(struct kit_image *image, int wide);

/** The same with a Multiboot header instead of the note. */
void kit_multiboot_elf(struct kit_image *image, int wide, uint32_t flags);

#define KIT_FLAT_HEADER 0x40u /* offset of the header */
#define KIT_FLAT_GPA    0x120000u
/** A flat Multiboot kernel with load addresses. */
void kit_multiboot_flat(struct kit_image *image);

#endif
