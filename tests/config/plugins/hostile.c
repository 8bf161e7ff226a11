/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin that breaks one rule: the build makes one .so for each by defining one of the macros
 * below differently. What must be refused before any code runs has a constructor that says that it
 * ran; the tests compare all that is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <vmm/plugin.h>

#ifndef NOTE_MAJOR
#define NOTE_MAJOR VMM_ABI_MAJOR
#endif
#ifndef NOTE_MINOR
#define NOTE_MINOR VMM_ABI_MINOR
#endif
#ifndef NOTE_MIN_MINOR
#define NOTE_MIN_MINOR 0
#endif
#ifndef NOTE_ARCH
#define NOTE_ARCH VMM_NOTE_ARCH_X86_64
#endif
#ifndef NOTE_LIBC
#define NOTE_LIBC VMM_NOTE_LIBC
#endif
#ifndef NOTE_BYTES
#define NOTE_BYTES VMM_NOTE_DESC_BYTES
#endif
#ifndef NOTE_ID
#define NOTE_ID "org.example.hostile"
#endif
#ifndef NOTE_TYPES
#define NOTE_TYPES ""
#endif
#ifndef DESC_BYTES
#define DESC_BYTES sizeof(struct vmm_plugin_desc)
#endif
#ifndef DESC_VERSION
#define DESC_VERSION "1.0"
#endif
#ifndef TYPE_BYTES
#define TYPE_BYTES sizeof(struct vmm_device_type)
#endif
#ifndef TYPE_COUNT
#define TYPE_COUNT 1
#endif
#ifndef TYPE_SUMMARY
#define TYPE_SUMMARY "for tests"
#endif
#ifndef TYPE_THREADS
#define TYPE_THREADS VMM_THREADS_LOOP
#endif
#ifndef TYPE_PROVIDES
#define TYPE_PROVIDES "test.thing/1"
#endif
#ifndef TYPE_PROVIDES_COUNT
#define TYPE_PROVIDES_COUNT 0
#endif
#ifndef OPS_BYTES
#define OPS_BYTES sizeof(struct vmm_device_ops)
#endif
#ifndef OPS_CREATE
#define OPS_CREATE create
#endif
#ifndef OPS_DESTROY
#define OPS_DESTROY destroy
#endif
#ifndef OPTION_BYTES
#define OPTION_BYTES sizeof(struct vmm_option)
#endif
#ifndef OPTION_NAME
#define OPTION_NAME "size"
#endif
#ifndef OPTION_OTHER
#define OPTION_OTHER "other"
#endif
#ifndef OPTION_TYPE
#define OPTION_TYPE VMM_OPT_UINT
#endif
#ifndef OPTION_FLAGS
#define OPTION_FLAGS 0
#endif
#ifndef OPTION_DEFAULT
#define OPTION_DEFAULT "1"
#endif
#ifndef OPTION_MIN
#define OPTION_MIN 0
#endif
#ifndef OPTION_DOC
#define OPTION_DOC "an option"
#endif
#ifndef OPTION_TAIL
#define OPTION_TAIL 0
#endif
#ifndef ENTRY_RESULT
#define ENTRY_RESULT 0
#endif

#ifndef NO_NOTE
__attribute__((section(VMM_NOTE_SECTION), used,
	aligned(4))) static const struct vmm_plugin_note plugin_note = {
	.name_bytes = 4,
	.desc_bytes = NOTE_BYTES,
	.type = VMM_NOTE_TYPE,
	.name = VMM_NOTE_NAME,
	.abi_major = NOTE_MAJOR,
	.abi_minor = NOTE_MINOR,
	.min_host_minor = NOTE_MIN_MINOR,
	.arch = NOTE_ARCH,
	.libc = NOTE_LIBC,
	.plugin_id = NOTE_ID,
	.types = NOTE_TYPES,
};
#endif

#if defined(CONSTRUCTOR_SAYS) || defined(CONSTRUCTOR_EXITS)
__attribute__((constructor)) static void constructor(void)
{
#ifdef CONSTRUCTOR_EXITS
	_exit(0);
#else
	fputs("the constructor ran\n", stderr);
#endif
}
#endif

#ifdef UNRESOLVED
void not_in_any_library(void);
#define UNRESOLVED_CALL not_in_any_library()
#else
#define UNRESOLVED_CALL (void)0
#endif

#ifdef CLASHES
#define CREATE_LINKAGE VMM_EXPORT
#else
#define CREATE_LINKAGE static
#endif

__attribute__((unused)) CREATE_LINKAGE int32_t create(
	const struct vmm_create_args *args, void **ret_ctx);

CREATE_LINKAGE int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	UNRESOLVED_CALL;
	fprintf(stderr, "%s was created\n", args->device_id);
	*ret_ctx = NULL;
	return VMM_E_IO;
}

__attribute__((unused)) static void destroy(void *ctx)
{
	(void)ctx;
}

/* An option of a later release: it has a tail. */
struct later_option {
	struct vmm_option known;
	uint64_t tail;
};

static const struct later_option option = {
	.known = {.struct_size = OPTION_BYTES,
		.name = OPTION_NAME,
		.type = OPTION_TYPE,
		.flags = OPTION_FLAGS,
		.default_text = OPTION_DEFAULT,
		.min = OPTION_MIN,
		.doc = OPTION_DOC},
	.tail = OPTION_TAIL,
};
static const struct vmm_option other_option = {
	.struct_size = sizeof(other_option),
	.name = OPTION_OTHER,
	.type = VMM_OPT_BOOL,
	.doc = "another option",
};
static const struct vmm_option *const options[] = {&option.known, &other_option};

static const struct vmm_device_ops ops = {
	.size = OPS_BYTES, .create = OPS_CREATE, .destroy = OPS_DESTROY};

static const char *const provides[] = {TYPE_PROVIDES};

static const struct vmm_device_type type = {
	.size = TYPE_BYTES,
	.name = TYPE_NAME,
	.summary = TYPE_SUMMARY,
	.thread_model = TYPE_THREADS,
	.options = options,
	.option_count = 2,
	.provides = provides,
	.provides_count = TYPE_PROVIDES_COUNT,
	.ops = &ops,
};
static const struct vmm_device_type *const types[] = {&type, &type};

static const struct vmm_plugin_desc desc = {
	.size = DESC_BYTES,
	.id = "org.example.hostile",
	.version = DESC_VERSION,
	.summary = "Breaks a rule",
	.types = types,
	.type_count = TYPE_COUNT,
};

#ifdef NO_ENTRY
VMM_EXPORT const struct vmm_plugin_desc *other_entry(void);

const struct vmm_plugin_desc *other_entry(void)
{
	return &desc;
}
#else
int32_t vmm_plugin_entry_v1(const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc)
{
	(void)hello;
#if defined(ENTRY_CRASHES)
	abort();
#elif defined(ENTRY_HANGS)
	for (;;)
		pause();
#endif
	*ret_desc = &desc;
	return ENTRY_RESULT;
}
#endif
