/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs when vmm is built: writes the filters of all roles, with all needs, as C tables. libseccomp
 * takes 5 ms for those of one machine, which every start would wait for.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/calls.h"
#include "sandbox/filters.h"
#include "sandbox/sandbox.h"

static int add_call(scmp_filter_ctx filter, const struct call *call)
{
	uint32_t action = call->error ? SCMP_ACT_ERRNO((uint16_t)call->error) : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp test = {call->arg, SCMP_CMP_MASKED_EQ, call->mask, call->value};

	return seccomp_rule_add_array(filter, action, call->number, call->mask ? 1 : 0, &test);
}

static int add_calls(scmp_filter_ctx filter, int role, uint64_t needs)
{
	int ret = 0;

	for (const struct call *call = calls; ret == 0 && call->reason; call++)
		if (call->roles & (1u << role) && (!call->need || call->need & needs))
			ret = add_call(filter, call);
	/* KVM_RUN is in the path of every exit: it is looked for first. */
	return ret < 0 ? ret : seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
}

/* libseccomp writes programs only to files. */
static int print_program(scmp_filter_ctx filter, int role, uint64_t needs)
{
	FILE *file = tmpfile();
	struct sock_filter code;
	int ret = file ? seccomp_export_bpf(filter, fileno(file)) : -errno;

	if (ret == 0) {
		rewind(file);
		printf("static const struct sock_filter code_%d_%d[] = {\n", role, (int)needs);
		while (fread(&code, sizeof(code), 1, file) == 1)
			printf("\t{%#x, %d, %d, %#x},\n", code.code, code.jt, code.jf, code.k);
		printf("};\n\n");
	}
	if (file)
		fclose(file);
	return ret;
}

static int make_program(int role, uint64_t needs)
{
	/* A trap is reported like a crash, with the thread and the plugin; then the process ends.
	 */
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int ret = filter ? add_calls(filter, role, needs) : -ENOMEM;

	if (ret == 0)
		ret = print_program(filter, role, needs);
	seccomp_release(filter);
	return ret;
}

static uint64_t needs_of(int role)
{
	uint64_t needs = 0;

	for (const struct call *call = calls; call->reason; call++)
		if (call->roles & (1u << role))
			needs |= call->need;
	return needs;
}

static int make_programs(void)
{
	int ret = 0;

	for (int role = 0; role < SANDBOX_ROLES; role++)
		for (uint64_t needs = 0; ret == 0 && needs <= FILTER_NEEDS; needs++)
			if (!(needs & ~needs_of(role)))
				ret = make_program(role, needs);
	return ret;
}

static void print_table(void)
{
	printf("#define FILTER(name) {name, sizeof(name) / sizeof(name[0])}\n\n"
	       "const struct filter filters[SANDBOX_ROLES][FILTER_NEEDS + 1] = {\n");
	for (int role = 0; role < SANDBOX_ROLES; role++) {
		printf("\t{\n");
		for (uint64_t needs = 0; needs <= FILTER_NEEDS; needs++)
			printf("\t\tFILTER(code_%d_%d),\n", role, (int)(needs & needs_of(role)));
		printf("\t},\n");
	}
	printf("};\n");
}

int main(int argc, char **argv)
{
	int ret;

	if (argc != 2 || !freopen(argv[1], "w", stdout)) {
		fprintf(stderr, "usage: make-filters FILE.c\n");
		return 2;
	}
	printf("/* Made by make_filters.c of calls.c. */\n#include \"sandbox/filters.h\"\n\n");
	ret = make_programs();
	if (ret < 0) {
		fprintf(stderr, "make-filters: %s\n", strerror(-ret));
		return 1;
	}
	print_table();
	return fclose(stdout) ? 1 : 0;
}
