/* SPDX-License-Identifier: Apache-2.0 */
/* Each role may make the system calls that it needs; any other ends the process with SIGSYS. */
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmm/device.h>

#include "sandbox/calls.h"
#include "sandbox/private.h"

#define ALL_NEEDS (VMM_NEED_NETWORK | VMM_NEED_TAP | VMM_NEED_DISK | VMM_NEED_IO_URING)
#define EVERY     ((1u << SANDBOX_ROLES) - 1)
#define ROLE(x)   (1u << SANDBOX_##x)
#define LOOPS     (ROLE(MAIN) | ROLE(LOOP))

/* System calls with arguments that do no harm; what they give does not matter. */
static const struct act {
	const char *name;
	uint32_t roles; /* that may */
	uint64_t need;  /* only with this */
	long number;
	unsigned long args[6];
} acts[] = {
	{"execve", 0, 0, SYS_execve, {0}},
	{"openat for writing", 0, 0, SYS_openat, {0, 0, O_RDWR}},
	{"fork", 0, 0, SYS_clone, {SIGCHLD}},
	{"ptrace", 0, 0, SYS_ptrace, {~0ul}},
	{"executable mapping", 0, 0, SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}},
	{"executable protection", 0, 0, SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}},
	{"signal to another process", 0, 0, SYS_tgkill, {1, 1, 0}},
	{"a new VM", 0, 0, SYS_ioctl, {~0ul, KVM_CREATE_VM}},
	{"typing into the terminal", 0, 0, SYS_ioctl, {~0ul, TIOCSTI}},
	{"a new io_uring", 0, 0, SYS_io_uring_setup, {0}},
	{"userfaultfd", 0, 0, SYS_userfaultfd, {~0ul}},
	{"KVM_RUN", ROLE(VCPU), 0, SYS_ioctl, {~0ul, KVM_RUN}},
	{"pread", LOOPS | ROLE(WORKER), 0, SYS_pread64, {~0ul}},
	{"epoll_wait", LOOPS, 0, SYS_epoll_wait, {~0ul}},
	{"unlinkat", ROLE(MAIN), 0, SYS_unlinkat, {~0ul}},
	{"KVM_IRQFD", LOOPS | ROLE(VCPU), 0, SYS_ioctl, {~0ul, KVM_IRQFD}},
	{"poll", EVERY & ~ROLE(WORKER), 0, SYS_poll, {0}},
	{"write", EVERY, 0, SYS_write, {~0ul}},
	{"signals of a file to another process", 0, 0, SYS_fcntl, {~0ul, F_SETOWN, 1}},
	{"another signal of a file", 0, 0, SYS_fcntl, {~0ul, 10 /* F_SETSIG */, SIGKILL}},
	{"flags of a file", LOOPS, 0, SYS_fcntl, {~0ul, F_SETFL, O_NONBLOCK}},
	{"limits of another process", 0, 0, SYS_prlimit64, {1, 0, 1}},
	{"reading a limit", LOOPS, 0, SYS_prlimit64, {0, 0, 0, 0}},
	{"send on a socket", LOOPS, 0, SYS_sendto, {~0ul}},
	{"receive on a socket", LOOPS, 0, SYS_recvfrom, {~0ul}},
	{"send to an address", LOOPS, VMM_NEED_NETWORK, SYS_sendto, {~0ul, 0, 0, 0, 1}},
	{"index of an interface", LOOPS, VMM_NEED_NETWORK, SYS_ioctl, {~0ul, SIOCGIFINDEX}},
	{"socket", LOOPS, VMM_NEED_NETWORK, SYS_socket, {AF_INET, SOCK_STREAM}},
	{"openat for reading", LOOPS, VMM_NEED_NETWORK, SYS_openat, {0, 0, O_RDONLY}},
	{"BLKDISCARD", LOOPS | ROLE(WORKER), VMM_NEED_DISK, SYS_ioctl, {~0ul, BLKDISCARD}},
	{"io_uring_enter", LOOPS, VMM_NEED_IO_URING, SYS_io_uring_enter, {~0ul}},
};

#define ACTS (sizeof(acts) / sizeof(acts[0]))

struct attempt {
	enum sandbox_role role;
	uint64_t needs;
	const struct act *act; /* or: */
	void (*run)(void);
};

/* Filters only: the other steps have their own tests, and take longer. */
static void check_attempt(uintptr_t arg)
{
	const struct attempt *attempt = (const struct attempt *)arg;
	const struct act *act = attempt->act;

	MUST(limits_prepare(NULL) == 0 && filters_prepare(attempt->needs, NULL) == 0);
	MUST(filters_load(attempt->role) == 0);
	if (act)
		syscall(act->number, act->args[0], act->args[1], act->args[2], act->args[3],
			act->args[4], act->args[5]);
	else
		attempt->run();
}

static void expect(const char *name, struct attempt attempt, bool may)
{
	int status = kit_status(check_attempt, (uintptr_t)&attempt);
	bool ended = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;

	if (may ? status == 0 : ended)
		return;
	fail_msg("%s by role %d with needs %#lx: wait status %#x", name, attempt.role,
		(unsigned long)attempt.needs, (unsigned)status);
}

static void test_x7_each_role_may_do_its_work_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ACTS; i++) {
		for (int role = 0; role < SANDBOX_ROLES; role++)
			expect(acts[i].name,
				(struct attempt){.role = (enum sandbox_role)role,
					.needs = ALL_NEEDS,
					.act = &acts[i]},
				acts[i].roles & (1u << role));
	}
}

static void test_x7_what_no_device_needs_is_not_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ACTS; i++) {
		if (acts[i].need)
			expect(acts[i].name,
				(struct attempt){.role = SANDBOX_MAIN,
					.needs = ALL_NEEDS & ~acts[i].need,
					.act = &acts[i]},
				false);
	}
}

static void *worker_main(void *arg)
{
	(void)arg;
	MUST(filters_load(SANDBOX_WORKER) == 0);
	syscall(SYS_pread64, -1, NULL, 0, 0);
	syscall(SYS_epoll_wait, -1, NULL, 0, 0);
	return NULL;
}

/* glibc asks for clone3 first, which is refused, and then takes clone. */
static void start_worker(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, worker_main, NULL))
		pthread_join(thread, NULL);
}

static void *thread_main(void *arg)
{
	return arg;
}

static void do_things_of_loops(void)
{
	uint64_t one = 1;
	int fd = eventfd(0, EFD_NONBLOCK);
	pthread_t thread;

	free(malloc(1 << 20));
	sched_yield();
	MUST(write(fd, &one, sizeof(one)) == sizeof(one) && read(fd, &one, sizeof(one)) > 0);
	MUST(!pthread_create(&thread, NULL, thread_main, NULL) && !pthread_join(thread, NULL));
}

static void test_x7_a_worker_thread_may_less_than_the_loop_that_started_it(void **state)
{
	struct attempt attempt = {.role = SANDBOX_LOOP, .run = do_things_of_loops};

	(void)state;
	expect("what a loop does", attempt, true);
	attempt.run = start_worker;
	expect("epoll_wait of a worker", attempt, false);
}

#define MANY_THREADS 24

static pthread_barrier_t barrier;

/* The compiler would leave out what nobody looks at. */
static void *volatile allocated[MANY_THREADS];

static void *allocating_main(void *arg)
{
	uintptr_t number = (uintptr_t)arg;

	MUST(filters_load((enum sandbox_role)(SANDBOX_LOOP + number % 4)) == 0);
	pthread_barrier_wait(&barrier);
	allocated[number] = malloc(100);
	MUST(allocated[number]);
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* From a certain number of threads on, malloc would look in /sys. */
static void allocate_in_many_threads(void)
{
	pthread_t threads[MANY_THREADS];

	MUST(!pthread_barrier_init(&barrier, NULL, MANY_THREADS));
	for (uintptr_t i = 0; i < MANY_THREADS; i++)
		MUST(!pthread_create(&threads[i], NULL, allocating_main, (void *)i));
	for (int i = 0; i < MANY_THREADS; i++)
		MUST(!pthread_join(threads[i], NULL));
}

static void check_many_threads(uintptr_t unused)
{
	(void)unused;
	library_prepare();
	MUST(limits_prepare(NULL) == 0 && filters_prepare(0, NULL) == 0);
	allocate_in_many_threads();
}

static void test_x7_many_threads_of_any_role_allocate(void **state)
{
	(void)state;
	kit_passes(check_many_threads, 0);
}

static void fail_unix_socket(void)
{
	MUST(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EAFNOSUPPORT);
}

static void test_x7_a_call_that_the_c_library_tries_fails_without_harm(void **state)
{
	struct attempt attempt = {
		.role = SANDBOX_MAIN, .needs = VMM_NEED_NETWORK, .run = fail_unix_socket};

	(void)state;
	expect("AF_UNIX", attempt, true);
}

/* A line nobody can use is a mistake in the list. */
static void test_x7_each_call_of_the_list_has_roles_and_a_reason(void **state)
{
	(void)state;
	for (const struct call *call = calls; call->reason; call++) {
		assert_true(call->number >= 0);
		assert_true(call->roles && !(call->roles & ~EVERY));
		assert_true(strlen(call->reason) > 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x7_each_role_may_do_its_work_and_nothing_else),
		cmocka_unit_test(test_x7_what_no_device_needs_is_not_allowed),
		cmocka_unit_test(test_x7_a_worker_thread_may_less_than_the_loop_that_started_it),
		cmocka_unit_test(test_x7_many_threads_of_any_role_allocate),
		cmocka_unit_test(test_x7_a_call_that_the_c_library_tries_fails_without_harm),
		cmocka_unit_test(test_x7_each_call_of_the_list_has_roles_and_a_reason),
	};

	if (!FILTERS_WORK)
		return 0;
	return cmocka_run_group_tests_name("sandbox-filters", tests, NULL, NULL);
}
