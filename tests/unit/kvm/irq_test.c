/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and vectors on a KVM that is not there: which ioctl is made when, and what happens if it
 * fails. What a guest sees of it is in guest_irq_test.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_kvm.h"
#include "kvm/irq.h"

#define MSI_ADDRESS UINT64_C(0xfee01000)
#define PIN_ROUTES  40u

static struct memory *memory;
static struct vm *vm;

static int make_vm(void)
{
	const struct vm_options options = {.path = FAKE_KVM_PATH, .vcpus = 1};

	return vm_create(&options, memory, NULL, &vm);
}

static int setup(void **state)
{
	const struct memory_extent extent = {0, MEMORY_PAGE_2M};
	const struct memory_options options = {.extents = &extent, .extent_count = 1};

	(void)state;
	fake_kvm_reset();
	return memory_create(&options, NULL, &memory) || make_vm();
}

static int teardown(void **state)
{
	(void)state;
	vm_destroy(vm);
	memory_destroy(memory);
	return 0;
}

static void a_line_reaches_kvm_only_when_it_changes(void **state)
{
	struct irq_line *line;

	(void)state;
	assert_int_equal(irq_line_open(vm, 4, VMM_IRQ_EDGE, &line), 0);
	irq_line_set(line, 0);
	assert_int_equal(fake_kvm.line_count, 0);
	irq_line_set(line, 1);
	irq_line_set(line, 1);
	irq_line_set(line, 77);
	assert_int_equal(fake_kvm.line_count, 1);
	assert_int_equal(fake_kvm.lines[0].irq, 4);
	assert_int_equal(fake_kvm.lines[0].level, 1);
	irq_line_set(line, 0);
	assert_int_equal(fake_kvm.line_count, 2);
	assert_int_equal(fake_kvm.lines[1].level, 0);
	irq_line_close(line);
	assert_int_equal(fake_kvm.line_count, 2);
}

static void a_shared_line_is_the_or_of_its_holders(void **state)
{
	struct irq_line *a, *b;

	(void)state;
	assert_int_equal(irq_line_open(vm, 16, VMM_IRQ_LEVEL, &a), 0);
	assert_int_equal(irq_line_open(vm, 16, VMM_IRQ_LEVEL, &b), 0);
	irq_line_set(a, 1);
	irq_line_set(b, 1);
	irq_line_set(a, 0);
	assert_int_equal(fake_kvm.line_count, 1);
	irq_line_close(b);
	assert_int_equal(fake_kvm.line_count, 2);
	assert_int_equal(fake_kvm.lines[1].level, 0);
	irq_line_close(a);
	assert_int_equal(fake_kvm.line_count, 2);
}

static void an_edge_line_has_one_owner(void **state)
{
	struct irq_line *line, *other;

	(void)state;
	assert_int_equal(irq_line_open(vm, 4, VMM_IRQ_EDGE, &line), 0);
	assert_int_equal(irq_line_open(vm, 4, VMM_IRQ_EDGE, &other), VMM_E_BUSY);
	assert_int_equal(irq_line_open(vm, 4, VMM_IRQ_LEVEL, &other), VMM_E_BUSY);
	irq_line_close(line);
	assert_int_equal(irq_line_open(vm, 4, VMM_IRQ_LEVEL, &line), 0);
	assert_int_equal(irq_line_open(vm, 4, VMM_IRQ_EDGE, &other), VMM_E_BUSY);
	irq_line_close(line);
	irq_line_close(NULL);
}

static void lines_that_are_not_there_are_refused(void **state)
{
	struct irq_line *line;

	(void)state;
	assert_int_equal(irq_line_open(vm, 24, VMM_IRQ_EDGE, &line), VMM_E_RANGE);
	assert_int_equal(irq_line_open(vm, UINT32_MAX, VMM_IRQ_EDGE, &line), VMM_E_RANGE);
	assert_int_equal(irq_line_open(vm, 4, 0, &line), VMM_E_INVAL);
}

static void a_level_line_by_eventfd_needs_resampling(void **state)
{
	struct irq_line *line;
	int trigger, resample;

	(void)state;
	vm_destroy(vm);
	fake_kvm.missing_cap = KVM_CAP_IRQFD_RESAMPLE;
	assert_int_equal(make_vm(), 0);
	assert_int_equal(irq_line_open(vm, 16, VMM_IRQ_LEVEL, &line), 0);
	assert_int_equal(irq_line_fds(line, &trigger, &resample), VMM_E_UNSUPPORTED);
	irq_line_close(line);
	assert_int_equal(fake_kvm.irqfd_count, 0);
}

static void eventfds_of_a_line_are_made_once_and_taken_back(void **state)
{
	struct irq_line *line;
	int trigger, resample, trigger_2, resample_2;

	(void)state;
	assert_int_equal(irq_line_open(vm, 16, VMM_IRQ_LEVEL, &line), 0);
	assert_int_equal(irq_line_fds(line, &trigger, &resample), 0);
	assert_int_equal(irq_line_fds(line, &trigger_2, &resample_2), 0);
	assert_int_equal(trigger, trigger_2);
	assert_int_equal(resample, resample_2);
	assert_int_equal(fake_kvm.irqfd_count, 1);
	assert_int_equal(fake_kvm.irqfds[0].gsi, 16);
	assert_int_equal(fake_kvm.irqfds[0].resamplefd, resample);
	assert_int_equal(fake_kvm.irqfds[0].flags, KVM_IRQFD_FLAG_RESAMPLE);
	irq_line_close(line);
	assert_int_equal(fake_kvm.irqfd_count, 2);
	assert_true(fake_kvm.irqfds[1].flags & KVM_IRQFD_FLAG_DEASSIGN);
	assert_int_equal(close(trigger), -1);
	assert_int_equal(close(resample), -1);
}

static void a_failing_irqfd_leaves_a_line_as_it_was(void **state)
{
	struct irq_line *line;
	int trigger, resample;

	(void)state;
	assert_int_equal(irq_line_open(vm, 16, VMM_IRQ_LEVEL, &line), 0);
	fake_kvm.fails = KVM_IRQFD;
	fake_kvm.fail_errno = ENOMEM;
	assert_int_equal(irq_line_fds(line, &trigger, &resample), VMM_E_IO);
	fake_kvm.fails = 0;
	assert_int_equal(irq_line_fds(line, &trigger, &resample), 0);
	irq_line_close(line);
}

static void routes_of_pins_stay_when_vectors_come(void **state)
{
	const struct kvm_irq_routing_entry *route;
	struct irq_msi *msi;
	uint32_t pic = 0, ioapic = 0;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(vm, &msi, &fd), 0);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, 0x4041), 0);
	assert_int_equal(fake_kvm.route_count, PIN_ROUTES + 1);
	for (uint32_t i = 0; i < PIN_ROUTES; i++) {
		route = &fake_kvm.routes[i];
		assert_int_equal(route->type, KVM_IRQ_ROUTING_IRQCHIP);
		if (route->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC) {
			assert_int_equal(route->u.irqchip.pin, route->gsi);
			ioapic++;
		} else {
			assert_int_equal(route->u.irqchip.pin, route->gsi % 8);
			assert_int_equal(route->u.irqchip.irqchip, route->gsi / 8);
			pic++;
		}
	}
	assert_int_equal(ioapic, 24);
	assert_int_equal(pic, 16);
	route = fake_kvm_route(24);
	assert_non_null(route);
	assert_int_equal(route->u.msi.address_lo, 0xfee01000);
	assert_int_equal(route->u.msi.address_hi, 0);
	assert_int_equal(route->u.msi.data, 0x4041);
	irq_msi_close(msi);
}

static void unmasking_with_the_same_message_keeps_the_routes(void **state)
{
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(vm, &msi, &fd), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, 1), 0);
		assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, 1), 0);
		assert_int_equal(irq_msi_mask(msi), 0);
		assert_int_equal(irq_msi_mask(msi), 0);
	}
	assert_int_equal(fake_kvm.routing_count, 1);
	assert_int_equal(fake_kvm.irqfd_count, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(fake_kvm.irqfds[i].flags, i % 2 ? KVM_IRQFD_FLAG_DEASSIGN : 0);
	irq_msi_close(msi);
}

static void P13_a_message_that_kvm_refuses_leaves_the_vector_masked(void **state)
{
	struct irq_msi *a, *b;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(vm, &a, &fd), 0);
	assert_int_equal(irq_msi_open(vm, &b, &fd), 0);
	assert_int_equal(irq_msi_set(a, MSI_ADDRESS, 1), 0);
	fake_kvm.fails = KVM_SET_GSI_ROUTING;
	fake_kvm.fail_errno = EINVAL;
	assert_int_equal(irq_msi_set(a, MSI_ADDRESS, 2), VMM_E_INVAL);
	assert_int_equal(irq_msi_set(b, MSI_ADDRESS, 3), VMM_E_INVAL);
	/* a was unmasked, and no longer is */
	assert_int_equal(fake_kvm.irqfd_count, 2);
	assert_int_equal(fake_kvm.irqfds[1].flags, KVM_IRQFD_FLAG_DEASSIGN);
	fake_kvm.fails = 0;
	/* the refused messages are in no later table */
	assert_int_equal(irq_msi_set(b, MSI_ADDRESS, 4), 0);
	assert_int_equal(fake_kvm_route(24)->u.msi.data, 1);
	assert_int_equal(fake_kvm_route(25)->u.msi.data, 4);
	irq_msi_close(a);
	irq_msi_close(b);
}

static void P18_more_vectors_than_routes_are_refused_when_they_are_opened(void **state)
{
	struct irq_msi *msis[32], *more;
	int fd;

	(void)state;
	vm_destroy(vm);
	fake_kvm.routes_max = PIN_ROUTES + 10;
	assert_int_equal(make_vm(), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(irq_msi_open(vm, &msis[i], &fd), 0);
		assert_int_equal(irq_msi_set(msis[i], MSI_ADDRESS, 0x30), 0);
	}
	assert_int_equal(irq_msi_open(vm, &more, &fd), VMM_E_LIMIT);
	irq_msi_close(msis[4]);
	assert_int_equal(irq_msi_open(vm, &msis[4], &fd), 0);
	for (int i = 0; i < 10; i++)
		irq_msi_close(msis[i]);
}

static void all_routes_of_the_kernel_can_be_used(void **state)
{
	const uint32_t count = 4096 - PIN_ROUTES;
	struct irq_msi **msis = calloc(count, sizeof(struct irq_msi *));
	uint32_t opened = 0;
	int fd;

	(void)state;
	assert_non_null(msis);
	/* as far as the limit of open files lets us */
	while (opened < count && irq_msi_open(vm, &msis[opened], &fd) == 0)
		opened++;
	assert_true(opened > 500);
	assert_int_equal(irq_msi_set(msis[opened - 1], MSI_ADDRESS, 0x55), 0);
	assert_int_equal(fake_kvm_route(24 + opened - 1)->u.msi.data, 0x55);
	for (uint32_t i = 0; i < opened; i++)
		irq_msi_close(msis[i]);
	free(msis);
}

static void pending_is_only_what_came_while_masked(void **state)
{
	const uint64_t one = 1;
	struct irq_msi *msi;
	int fd;

	(void)state;
	assert_int_equal(irq_msi_open(vm, &msi, &fd), 0);
	assert_int_equal(irq_msi_pending(msi), 0);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(irq_msi_pending(msi), 1);
	assert_int_equal(irq_msi_set(msi, MSI_ADDRESS, 1), 0);
	/* now it is KVM's to deliver, and not ours to forget */
	assert_int_equal(irq_msi_pending(msi), 0);
	irq_msi_clear(msi);
	assert_int_equal(irq_msi_mask(msi), 0);
	assert_int_equal(irq_msi_pending(msi), 1);
	irq_msi_clear(msi);
	assert_int_equal(irq_msi_pending(msi), 0);
	irq_msi_close(msi);
	irq_msi_close(NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_line_reaches_kvm_only_when_it_changes),
		T(a_shared_line_is_the_or_of_its_holders),
		T(an_edge_line_has_one_owner),
		T(lines_that_are_not_there_are_refused),
		T(a_level_line_by_eventfd_needs_resampling),
		T(eventfds_of_a_line_are_made_once_and_taken_back),
		T(a_failing_irqfd_leaves_a_line_as_it_was),
		T(routes_of_pins_stay_when_vectors_come),
		T(unmasking_with_the_same_message_keeps_the_routes),
		T(P13_a_message_that_kvm_refuses_leaves_the_vector_masked),
		T(P18_more_vectors_than_routes_are_refused_when_they_are_opened),
		T(all_routes_of_the_kernel_can_be_used),
		T(pending_is_only_what_came_while_masked),
	};

	return cmocka_run_group_tests_name("kvm-irq", tests, NULL, NULL);
}
