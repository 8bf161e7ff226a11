/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start in which one thing fails: the first call of a host service, then the second, and so on
 * until a start meets no failure any more; and the same with the plugin's allocations.
 */
#include <inttypes.h>

#include "rig.h"
#include "usage.h"

#define STARTS_MAX 1000u

struct fault {
	const char *what;
	void (*arm)(struct rig *rig, uint32_t n);
	int (*was_hit)(struct rig *rig);
};

static void arm_service(struct rig *rig, uint32_t n)
{
	fake_host_fail_after(rig->host, n);
}

static int service_was_hit(struct rig *rig)
{
	return fake_host_fault_hit(rig->host);
}

static void arm_memory(struct rig *rig, uint32_t n)
{
	(void)rig;
	usage_fail_after(n);
}

static int memory_was_hit(struct rig *rig)
{
	(void)rig;
	return usage_has_failed();
}

/* Returns 1 if the fault came to pass. */
static int start_with_fault(
	struct subject *subject, const char *type, const struct fault *fault, uint32_t n)
{
	struct rig rig;
	int32_t ret;
	int hit;

	doing("a start in which %s %" PRIu32 " fails", fault->what, n);
	rig_open(&rig, subject, type, 0);
	rig_add_others(&rig);
	fault->arm(&rig, n);
	ret = rig_add(&rig, 1, NULL);
	if (ret >= 0)
		ret = fake_host_start(rig.host);
	hit = fault->was_hit(&rig);
	fault->arm(&rig, 0);
	if (ret < 0)
		rig_check_text(&rig, "the start", ret);
	if (ret >= 0)
		fake_settle(rig.host);
	rig_close(&rig);
	return hit;
}

static void fail_one_by_one(struct subject *subject, const char *type, const struct fault *fault)
{
	struct usage before, after;
	uint32_t n = 1;

	usage_watch(subject->real_path);
	start_with_fault(subject, type, fault, 0);
	usage_read(&before);
	while (n <= STARTS_MAX && start_with_fault(subject, type, fault, n))
		n++;
	doing("%" PRIu32 " starts with a failure of a %s each", n - 1, fault->what);
	usage_read(&after);
	if (after.fds > before.fds)
		finding("close in the error path what was opened before the failure",
			"%u files are left open", after.fds - before.fds);
	if (after.threads > before.threads)
		finding("join in the error path the threads that were started",
			"%u threads are left", after.threads - before.threads);
	if (after.blocks > before.blocks)
		finding("free in the error path what was allocated before the failure",
			"%" PRIu64 " blocks of memory are left", after.blocks - before.blocks);
}

static void check_services(struct subject *subject, const char *type)
{
	static const struct fault fault = {"service call", arm_service, service_was_hit};

	fail_one_by_one(subject, type, &fault);
}

static void check_memory(struct subject *subject, const char *type)
{
	static const struct fault fault = {"allocation", arm_memory, memory_was_hit};

	fail_one_by_one(subject, type, &fault);
}

const struct check fault_checks[] = {
	{"services", "a start survives the failure of each host service", check_services},
	{"memory", "a start survives the failure of each allocation", check_memory},
	{0},
};
