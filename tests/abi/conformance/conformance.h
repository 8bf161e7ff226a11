/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that uses every service and interface of the ABI, every slot of them, and says which one
 * did not do what its header says. It is built with each header set that was released, as C99, and
 * has to work in today's core. What a released set does not have is behind VMM_ABI_MINOR.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <vmm/plugin.h>
#include <vmm/support.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends a function whose `error` gets the text of the slot that failed, with its code. */
#define MUST(expression)                                                                           \
	do {                                                                                       \
		int32_t must_ = (expression);                                                      \
		if (must_ < 0) {                                                                   \
			vmm_set_error(error, "%s gives %d", #expression, (int)must_);              \
			return must_;                                                              \
		}                                                                                  \
	} while (0)

/* The same where the code is right and what it gave is not. */
#define EXPECT(truth)                                                                              \
	do {                                                                                       \
		if (!(truth)) {                                                                    \
			vmm_set_error(error, "expected %s", #truth);                               \
			return VMM_E_INVAL;                                                        \
		}                                                                                  \
	} while (0)

/** The type "conformance": all host services, and a function on a PCI bus. */
struct conformance {
	vmm_host *host;
	const struct vmm_hello *hello;
	const struct vmm_value *const *values;
	struct vmm_memory memory;
	struct vmm_io io;
	struct vmm_irq irq;
	struct vmm_loop loop;
	struct vmm_worker worker;
#if VMM_ABI_MINOR >= 2
	struct vmm_borrow borrow;
#endif
	struct vmm_log log;
	struct vmm_stream stream;
	struct vmm_file file;
	struct vmm_acpi acpi;
	struct vmm_machine machine;
	struct vmm_pci_bus pci;
	void *bus;
	struct vmm_layout layout;
	int32_t file_fd, event_fd;
	uint64_t region, line, vector, watch, timer, console, function;
	int has_region, has_line, has_vector, has_watch, has_timer, has_console, has_function;
	uint64_t works; /* finished by a worker */
	uint64_t byte;  /* register that the guest reads and writes */
};

enum { OPTION_PORT, OPTION_PATH, OPTION_BUS };

/** The parts of services.c and pci.c: each leaves what it has made to conformance_unrealize(). */
int32_t services_try(struct conformance *c, struct vmm_error *error);
int32_t services_start(struct conformance *c, struct vmm_error *error);
void services_drop(struct conformance *c);
int32_t pci_try(struct conformance *c, struct vmm_error *error);
void pci_drop(struct conformance *c);
extern const struct vmm_io_ops conformance_registers;

/** The type "conformance-virtio": a device behind a virtio transport. */
extern const struct vmm_device_type conformance_virtio;

#endif
