/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of vmm, from main() on, with a KVM that is not there and a guest that uses every device,
 * while one call after the other fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm.h"
#include "program.h"
#include "sweep.h"
#include "user.h"

#define PATIENCE_MS 100

/* What vmm may end with when it could not do what it was asked to: vmm(1). */
static const int refusals[] = {2, 4, 6, 8};

static bool is_refusal(int status)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (status == refusals[i])
			return true;
	return false;
}

static void attempt(void *ctx, enum fault_mode mode, struct sweep_result *ret_result)
{
	const struct program *program = ctx;
	int status;

	kvm_set_patience(mode == FAULT_PERSISTENT ? PATIENCE_MS : 0);
	user_outcome.ended = false;
	status = program_run(program);
	ret_result->succeeded = status == program_success(program);
	if (!ret_result->succeeded && !is_refusal(status))
		sweep_fail("exit status %d", status);
	if (!ret_result->succeeded || !program->guest)
		return;
	if (!user_outcome.ended)
		sweep_fail("the guest did not come to its end");
	/* What fails for good may stay unserved; the guest went on nevertheless. */
	if (!user_outcome.served && mode != FAULT_PERSISTENT)
		sweep_fail("%s", user_outcome.text);
}

static void prepare(void *ctx)
{
	program_prepare(ctx);
}

static void sweep_program(const char *name, const struct program *program)
{
	struct program copy = *program;
	struct sweep sweep = {.name = name, .prepare = prepare, .attempt = attempt, .ctx = &copy};

	assert_int_equal(sweep_run(&sweep), 0);
}

static void h21_h19_commands_that_print(void **state)
{
	static const struct program programs[] = {
		{.arguments = {"-s", "machine.memory=64M", "--check"}, .config = PROGRAM_PCI},
		{.arguments = {"--dump-config"}, .config = PROGRAM_MMIO},
		{.arguments = {"--describe", "virtio-blk", "--json"}, .config = PROGRAM_PCI},
		{.arguments = {"--list-plugins"}, .config = PROGRAM_PCI},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		sweep_program(programs[i].arguments[0], &programs[i]);
}

static void h21_h19_a_guest_with_devices_on_pci(void **state)
{
	static const struct user_plan plan = {.disks = 2, .cards = 1, .randoms = 1};
	static const struct program program = {.config = PROGRAM_PCI, .guest = &plan};

	(void)state;
	sweep_program("guest with PCI", &program);
}

static void h21_h19_a_guest_with_devices_without_pci(void **state)
{
	static const struct user_plan plan = {
		.disks = 2, .cards = 1, .randoms = 1, .mmio = true, .has_exit = true};
	static const struct program program = {
		.config = PROGRAM_MMIO, .guest = &plan, .has_terminal = true};

	(void)state;
	sweep_program("guest without PCI", &program);
}

/* So much more may be mapped than is by now. */
static void limit_address_space(uint64_t more_bytes)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;
	struct rlimit limit;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more_bytes;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

/* Exit status of a machine with that memory in a process of its own, and whether KVM made it. */
static int run_with_memory(const char *memory, bool *ret_made_machine)
{
	static const struct user_plan plan = {.disks = 2, .cards = 1, .randoms = 1};
	const struct program program = {
		.arguments = {"-s", memory}, .config = PROGRAM_PCI, .guest = &plan};
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		program_prepare(&program);
		limit_address_space(UINT64_C(1) << 30);
		status = program_run(&program);
		_exit(status | (kvm_made_machine() ? 128 : 0));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	*ret_made_machine = WEXITSTATUS(status) & 128;
	return WEXITSTATUS(status) & 127;
}

static void h20_no_memory_for_the_guest_is_an_error_before_kvm_makes_a_machine(void **state)
{
	bool made_machine;

	(void)state;
	assert_int_equal(run_with_memory("machine.memory=64M", &made_machine), 0);
	assert_true(made_machine);
	assert_int_equal(run_with_memory("machine.memory=8G", &made_machine), 4);
	assert_false(made_machine);
}

/* What of it the guest found wrong while it ran. */
static char wrong[64];

/* In a process of its own: what it loads is not there for the sweeps. */
static void expect_while_it_runs(void (*guest)(struct fake_host *host))
{
	static const struct user_plan plan = {.disks = 2, .cards = 1, .randoms = 1};
	static const struct program program = {.config = PROGRAM_PCI, .guest = &plan};
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		kvm_install(guest);
		program_prepare(&program);
		status = program_run(&program);
		fprintf(stderr, "%s\n", wrong);
		_exit(status != program_success(&program) || wrong[0]);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void wait_for_ticks(struct fake_host *host)
{
	for (uint32_t i = 0; i < 500 && !kvm_drops_missed_ticks(); i++)
		usleep(10000);
	if (!kvm_drops_missed_ticks())
		snprintf(wrong, sizeof(wrong), "missed ticks are made up for");
	user_main(host);
}

static void h18_ticks_that_a_running_guest_misses_are_dropped(void **state)
{
	(void)state;
	assert_false(kvm_drops_missed_ticks());
	expect_while_it_runs(wait_for_ticks);
}

static void look_at_signals(struct fake_host *host)
{
	static const int stops[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action;

	for (uint32_t i = 0; i < 9; i++)
		if (sigaction(stops[i / 3], NULL, &action) ||
			!sigismember(&action.sa_mask, stops[i % 3]))
			snprintf(wrong, sizeof(wrong), "%s may interrupt the handler of %s",
				strsignal(stops[i % 3]), strsignal(stops[i / 3]));
	user_main(host);
}

static void a_signal_to_stop_waits_until_the_one_before_is_noted(void **state)
{
	(void)state;
	expect_while_it_runs(look_at_signals);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			h20_no_memory_for_the_guest_is_an_error_before_kvm_makes_a_machine),
		cmocka_unit_test(h18_ticks_that_a_running_guest_misses_are_dropped),
		cmocka_unit_test(a_signal_to_stop_waits_until_the_one_before_is_noted),
		cmocka_unit_test(h21_h19_commands_that_print),
		cmocka_unit_test(h21_h19_a_guest_with_devices_on_pci),
		cmocka_unit_test(h21_h19_a_guest_with_devices_without_pci),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
