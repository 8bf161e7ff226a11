/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Types, error codes and layout checks shared by every header of the plugin ABI.
 * Nothing here is specific to one interface.
 *
 * How to read the headers: every function and callback names the thread it may be called on:
 *   [config]  the main thread, in create, bind, realize, start, unrealize or destroy; no other
 *             thread of the machine runs then
 *   [loop]    the loop thread that the device is assigned to
 *   [vcpu]    a vCPU thread, inside an access of the guest; it must not block
 *   [any]     any thread of the process
 * Nothing that a plugin is called with is owned by it, and pointers are valid for that call only,
 * unless the text says "until destroy".
 */
#ifndef VMM_TYPES_H
#define VMM_TYPES_H

#include <stddef.h>
#include <stdint.h>

/** Version of the ABI that these headers describe. */
#define VMM_ABI_MAJOR 0
#define VMM_ABI_MINOR 1

#if defined(__cplusplus)
#define VMM_STATIC_ASSERT(cond, name) static_assert(cond, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define VMM_STATIC_ASSERT(cond, name) _Static_assert(cond, #name)
#else
#define VMM_STATIC_ASSERT(cond, name) typedef char vmm_assert_##name[(cond) ? 1 : -1]
#endif

/** Layout checks: one for the size of each public struct, one for each member's offset. */
#define VMM_ASSERT_SIZE(type, bytes)                                                               \
	VMM_STATIC_ASSERT(sizeof(struct type) == (bytes), size_of_##type)
#define VMM_ASSERT_OFFSET(type, member, bytes)                                                     \
	VMM_STATIC_ASSERT(offsetof(struct type, member) == (bytes), offset_of_##type##_##member)

VMM_STATIC_ASSERT(sizeof(void *) == 8, pointers_have_64_bits);

/*
 * Error codes. Every function that can fail returns 0 or one of these; a positive value is a
 * count or VMM_PENDING where the text says so. The numbers are frozen.
 */
#define VMM_E_INVAL       (-10)  /* an argument is wrong: the caller's mistake */
#define VMM_E_NOMEM       (-20)  /* no memory */
#define VMM_E_UNSUPPORTED (-30)  /* this host, kernel or peer cannot do it */
#define VMM_E_NOT_FOUND   (-40)  /* no such file, interface, handle */
#define VMM_E_EXISTS      (-50)  /* there is one already: overlapping region, same name */
#define VMM_E_BUSY        (-60)  /* in use by somebody else */
#define VMM_E_IO          (-70)  /* the operating system reported an error */
#define VMM_E_RANGE       (-80)  /* an address or offset is outside of what may be used */
#define VMM_E_PHASE       (-90)  /* not allowed in this phase or on this thread */
#define VMM_E_LIMIT       (-100) /* a limit is reached: vectors, regions, segments */
#define VMM_E_AGAIN       (-110) /* nothing now; try again after the event that the text names */
#define VMM_E_PERM        (-120) /* no permission */
#define VMM_E_TOO_NEW     (-130) /* a struct has a tail or a flag that this side does not know */
#define VMM_E_GONE        (-140) /* the peer is gone */
#define VMM_E_CHAIN       (-150) /* a descriptor chain of the guest could not be used */

/** Returned instead of 0 by a phase that completes later. */
#define VMM_PENDING 1

/** A guest physical address. Only vmm.memory turns one into a pointer. */
typedef struct vmm_gpa {
	uint64_t value;
} vmm_gpa;

/** The core's handle of one device instance; opaque; first argument of every host service. */
typedef struct vmm_host vmm_host;

/** A piece of memory in this process. */
struct vmm_iovec {
	void *base;
	uint64_t bytes;
};
VMM_ASSERT_SIZE(vmm_iovec, 16);
VMM_ASSERT_OFFSET(vmm_iovec, base, 0);
VMM_ASSERT_OFFSET(vmm_iovec, bytes, 8);

/**
 * Where the text of an error goes. Owned by the caller of the function that fails; the callee
 * writes at most text_bytes bytes with the terminating NUL. One line, no full stop: it is printed
 * behind the file, line and device it belongs to.
 */
struct vmm_error {
	uint64_t struct_size;
	char *text;
	uint64_t text_bytes;
};
VMM_ASSERT_SIZE(vmm_error, 24);
VMM_ASSERT_OFFSET(vmm_error, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_error, text, 8);
VMM_ASSERT_OFFSET(vmm_error, text_bytes, 16);

#endif
