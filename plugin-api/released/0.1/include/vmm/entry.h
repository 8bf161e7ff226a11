/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the core and a plugin meet: the ELF note that is read before any code of the plugin runs,
 * the one exported function, and the way to all other interfaces.
 */
#ifndef VMM_ENTRY_H
#define VMM_ENTRY_H

#include <vmm/device.h>
#include <vmm/types.h>

/** What the core says of itself. A table; valid for the life of the process. */
struct vmm_hello {
	uint64_t size;
	uint32_t abi_major;
	uint32_t abi_minor;
	const char *core_version; /* for log lines; decide nothing by it */

	/**
	 * The table of a host service ("vmm.loop/1") for this device. *ret_table stays valid and
	 * the answer stays the same until destroy; copy min(its size, yours) bytes of it.
	 * VMM_E_UNSUPPORTED: there is none of at least min_size bytes. [config]
	 */
	int32_t (*query)(vmm_host *host, const char *id, uint64_t min_size, const void **ret_table);

	/**
	 * The same for an interface of another device. ref is the number of a VMM_OPT_REF value.
	 * The core may hand out a wrapper: never compare table pointers. [config], from bind on.
	 */
	int32_t (*query_ref)(vmm_host *host, uint64_t ref, const char *id, uint64_t min_size,
		const void **ret_table, void **ret_object);
};
VMM_ASSERT_SIZE(vmm_hello, 40);
VMM_ASSERT_OFFSET(vmm_hello, size, 0);
VMM_ASSERT_OFFSET(vmm_hello, abi_major, 8);
VMM_ASSERT_OFFSET(vmm_hello, abi_minor, 12);
VMM_ASSERT_OFFSET(vmm_hello, core_version, 16);
VMM_ASSERT_OFFSET(vmm_hello, query, 24);
VMM_ASSERT_OFFSET(vmm_hello, query_ref, 32);

/** What a plugin says of itself. A table; static and constant. */
struct vmm_plugin_desc {
	uint64_t size;
	const char *id;      /* the same as in the ELF note; vendors: reverse domain name */
	const char *version; /* of the plugin: "1.2.0" */
	const char *summary; /* one line for people */
	const struct vmm_device_type *const *types;
	uint64_t type_count;
};
VMM_ASSERT_SIZE(vmm_plugin_desc, 48);
VMM_ASSERT_OFFSET(vmm_plugin_desc, size, 0);
VMM_ASSERT_OFFSET(vmm_plugin_desc, id, 8);
VMM_ASSERT_OFFSET(vmm_plugin_desc, version, 16);
VMM_ASSERT_OFFSET(vmm_plugin_desc, summary, 24);
VMM_ASSERT_OFFSET(vmm_plugin_desc, types, 32);
VMM_ASSERT_OFFSET(vmm_plugin_desc, type_count, 40);

#if defined(__GNUC__)
#define VMM_EXPORT __attribute__((visibility("default")))
#else
#define VMM_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The one symbol that a plugin exports. Pure: no threads, no files; the result is the same at each
 * call and valid for the life of the process. [config]
 */
VMM_EXPORT int32_t vmm_plugin_entry_v1(
	const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc);

#ifdef __cplusplus
}
#endif

#define VMM_NOTE_SECTION     ".note.vmm.plugin"
#define VMM_NOTE_NAME        "VMM"
#define VMM_NOTE_TYPE        1u
#define VMM_NOTE_ARCH_X86_64 62u /* EM_X86_64 */
#define VMM_NOTE_LIBC_GNU    1u
#define VMM_NOTE_LIBC_OTHER  2u
#if defined(__GLIBC__)
#define VMM_NOTE_LIBC VMM_NOTE_LIBC_GNU
#else
#define VMM_NOTE_LIBC VMM_NOTE_LIBC_OTHER
#endif

/** Size of the descriptor: struct vmm_plugin_note from abi_major on. It grows at the end. */
#define VMM_NOTE_DESC_BYTES 344

/** The ELF note: header, name, descriptor (ELF gABI, "Note Section"). */
struct vmm_plugin_note {
	uint32_t name_bytes; /* 4 */
	uint32_t desc_bytes; /* VMM_NOTE_DESC_BYTES: what follows name */
	uint32_t type;       /* VMM_NOTE_TYPE */
	char name[4];        /* "VMM" */
	uint32_t abi_major;
	uint32_t abi_minor;      /* built with */
	uint32_t min_host_minor; /* the oldest core that it works with */
	uint32_t arch;           /* VMM_NOTE_ARCH_... */
	uint32_t libc;           /* VMM_NOTE_LIBC_... */
	uint32_t reserved;       /* 0 */
	char plugin_id[64];      /* NUL-terminated */

	/**
	 * Names of the device types in it, joined by ','; NUL-terminated. Empty: one type, which
	 * has the name of the file without ".so". The core finds the file for a type by it.
	 */
	char types[256];
};
VMM_ASSERT_SIZE(vmm_plugin_note, 360);
VMM_ASSERT_OFFSET(vmm_plugin_note, name_bytes, 0);
VMM_ASSERT_OFFSET(vmm_plugin_note, desc_bytes, 4);
VMM_ASSERT_OFFSET(vmm_plugin_note, type, 8);
VMM_ASSERT_OFFSET(vmm_plugin_note, name, 12);
VMM_ASSERT_OFFSET(vmm_plugin_note, abi_major, 16);
VMM_ASSERT_OFFSET(vmm_plugin_note, abi_minor, 20);
VMM_ASSERT_OFFSET(vmm_plugin_note, min_host_minor, 24);
VMM_ASSERT_OFFSET(vmm_plugin_note, arch, 28);
VMM_ASSERT_OFFSET(vmm_plugin_note, libc, 32);
VMM_ASSERT_OFFSET(vmm_plugin_note, reserved, 36);
VMM_ASSERT_OFFSET(vmm_plugin_note, plugin_id, 40);
VMM_ASSERT_OFFSET(vmm_plugin_note, types, 104);

/**
 * Registers a plugin that offers one device type, in a file of that name ("virtio-blk" in
 * virtio-blk.so); once, at file level. desc is a struct vmm_plugin_desc, id_literal the same string
 * literal as its id, min_minor the oldest ABI minor of a core that it can work with.
 */
#define VMM_PLUGIN(desc, id_literal, min_minor) VMM_PLUGIN_TYPES(desc, id_literal, min_minor, "")

/** The same for several types, or a file of another name: types_literal is "one,two". */
#define VMM_PLUGIN_TYPES(desc, id_literal, min_minor, types_literal)                               \
	__attribute__((section(VMM_NOTE_SECTION), used,                                            \
		aligned(4))) static const struct vmm_plugin_note vmm_plugin_note_ = {4,            \
		VMM_NOTE_DESC_BYTES, VMM_NOTE_TYPE, VMM_NOTE_NAME, VMM_ABI_MAJOR, VMM_ABI_MINOR,   \
		(min_minor), VMM_NOTE_ARCH_X86_64, VMM_NOTE_LIBC, 0, id_literal, types_literal};   \
	int32_t vmm_plugin_entry_v1(                                                               \
		const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc)            \
	{                                                                                          \
		(void)hello;                                                                       \
		*ret_desc = &(desc);                                                               \
		return 0;                                                                          \
	}                                                                                          \
	VMM_STATIC_ASSERT(sizeof(id_literal) <= 64, plugin_id_fits);                               \
	VMM_STATIC_ASSERT(sizeof(types_literal) <= 256, plugin_types_fit)

#endif
