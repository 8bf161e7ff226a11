/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that is nothing but a fuzzer. By its command line:
 *   seed=N     of everything that it does; the same again does the same
 *   steps=N    how many
 *   second     a second processor does so at the same time: other things in other order each time
 *   lethal     ports and registers that end the machine, or the fuzzer, are tried, too
 *
 * Every CHUNK steps it brings all devices back by resets, and fails if one does not serve a good
 * request then. It prints "fuzz: done" at the end and stays, or "fuzz: FAILED" and leaves.
 */
#include "bare.h"
#include "fuzz.h"

#define CHUNK      1500u
#define DISK_ID    2u
#define CARD_ID    1u
#define RANDOM_ID  4u
#define DRIVER_RAM 0x400000u

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp, memmap;
};

void kernel_main(const struct pvh_info *info);
void kernel_second(void);

static struct fuzz_target target;
static struct fuzz first, second;

/* What the second processor is told, and says: it works while both are equal and odd. */
static uint32_t wanted, working;

/*
 * ---- Devices ----
 */

static void find(uint32_t n, uint32_t id, uint32_t nth, struct machine *m, uint32_t place)
{
	struct fake_virtio *d = &m->drivers[place];
	uint64_t ram = BARE_START + n * DRIVER_RAM;

	if (n + 1 < FUZZ_DEVICES)
		fake_virtio_find(NULL, id, nth, ram, DRIVER_RAM, d);
	else
		fake_virtio_find_mmio(NULL, id, nth, ram, DRIVER_RAM, d);
	d->msi_base = 0;
	target.drivers[n] = d;
	target.home[n] = d->pci;
}

void fuzz_find(struct fuzz_target *t)
{
	find(0, DISK_ID, 0, &t->machines[0], MACHINE_DISK);
	find(1, CARD_ID, 0, &t->machines[0], MACHINE_CARD);
	find(2, RANDOM_ID, 0, &t->machines[0], MACHINE_RANDOM);
	find(3, DISK_ID, 1, &t->machines[1], MACHINE_DISK);
	find(4, RANDOM_ID, 0, &t->machines[1], MACHINE_RANDOM);
}

/* First all are switched off: they may lie on one another. */
static void restore_bus(struct fuzz_target *t)
{
	for (uint32_t i = 0; i + 1 < FUZZ_DEVICES; i++) {
		const struct fake_pci_device *home = &t->home[i];

		fake_pci_write(home, FAKE_PCI_COMMAND, 2, 0);
		for (uint32_t bar = 0; bar < 6; bar++)
			if (home->bars[bar].bytes)
				fake_pci_write(home, FAKE_PCI_BAR0 + 4 * bar, 4,
					(uint32_t)home->bars[bar].address);
	}
	for (uint32_t i = 0; i + 1 < FUZZ_DEVICES; i++)
		fake_pci_enable(&t->home[i]);
}

/* Disks have at sector 33 what good requests expect there. */
static void restore_disk(struct machine *m)
{
	struct fake_virtio *d = &m->drivers[MACHINE_DISK];
	const struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = {1, 0, 33};
	struct fake_virtio_buffer buffers[] = {{fake_virtio_put(d, &header, 16), 16, 0},
		{fake_virtio_alloc(d, 512, 512), 512, 0}, {fake_virtio_alloc(d, 1, 1), 1, 1}};

	*(uint8_t *)fake_ram(NULL, buffers[1].gpa, 1) = 33;
	if (fake_virtio_request(d, 0, buffers, 3) != 1)
		fake_fail("a disk does not take a good write");
}

void fuzz_revive(struct fuzz_target *t)
{
	restore_bus(t);
	bare_free_all();
	for (uint32_t i = 0; i < FUZZ_DEVICES; i++)
		fake_virtio_reset(t->drivers[i]);
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t device = 0; device < MACHINE_VIRTIO; device++) {
			if (!t->machines[i].drivers[device].queue_count)
				continue;
			machine_init(&t->machines[i], device, FAKE_VIRTIO_ALL);
			if (device == MACHINE_DISK)
				restore_disk(&t->machines[i]);
			machine_good(&t->machines[i], device);
		}
}

void machine_rest_good(struct machine *m)
{
	(void)m;
}

/*
 * ---- Steps ----
 */

void fuzz_step(struct fuzz *f)
{
	static void (*const steps[])(struct fuzz *) = {fuzz_step_register, fuzz_step_register,
		fuzz_step_bar, fuzz_step_bar, fuzz_step_config, fuzz_step_port, fuzz_step_port,
		fuzz_step_mmio, fuzz_step_ring, fuzz_step_ring, fuzz_step_ring, fuzz_step_request,
		fuzz_step_request, fuzz_step_request, fuzz_step_request, fuzz_step_kick};

	if (fuzz_one_in(f, 40))
		fuzz_step_set_up(f);
	else if (fuzz_one_in(f, 100))
		fuzz_step_strings(f);
	else if (f == &first && fuzz_one_in(f, 100))
		fuzz_step_processor(f);
	else
		steps[fuzz_below(f, sizeof(steps) / sizeof(*steps))](f);
	f->step++;
}

void kernel_second(void)
{
	bare_init();
	for (;;) {
		uint32_t now = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);

		__atomic_store_n(&working, now, __ATOMIC_RELEASE);
		if (now & 1)
			fuzz_step(&second);
		else
			__asm__ volatile("pause");
	}
}

static int second_follows(void *ctx)
{
	(void)ctx;
	return __atomic_load_n(&working, __ATOMIC_ACQUIRE) == wanted;
}

/* The second processor starts to work, or stops. */
static void tell_second(void)
{
	__atomic_store_n(&wanted, wanted + 1, __ATOMIC_RELEASE);
	if (!fake_run_until(NULL, second_follows, NULL, 0))
		fake_fail("the second processor does not come back");
}

/*
 * ---- The command line ----
 */

static const char *after(const char *cmdline, const char *key)
{
	for (; *cmdline; cmdline++) {
		uint32_t i = 0;

		while (key[i] && cmdline[i] == key[i])
			i++;
		if (!key[i])
			return cmdline + i;
	}
	return NULL;
}

static uint64_t number(const char *text, uint64_t otherwise)
{
	uint64_t value = 0;

	if (!text)
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

void kernel_main(const struct pvh_info *info)
{
	const char *cmdline = (const char *)(uintptr_t)info->cmdline;
	uint64_t seed = number(after(cmdline, "seed="), 1);
	uint64_t steps = number(after(cmdline, "steps="), 10000);
	uint32_t two = after(cmdline, "second") != NULL;

	bare_init();
	first = (struct fuzz){&target, seed * 2, 0, after(cmdline, "lethal") != NULL};
	second = (struct fuzz){&target, seed * 2 + 1, 0, first.lethal};
	bare_set_case(seed, &first.step);
	fuzz_find(&target);
	fuzz_revive(&target);
	if (two) {
		bare_start_second();
		if (!fake_run_until(NULL, second_follows, NULL, 0))
			fake_fail("the second processor does not start");
	}
	bare_print("fuzz: begins\n");
	while (first.step < steps) {
		if (two)
			tell_second();
		for (uint32_t i = 0; i < CHUNK; i++)
			fuzz_step(&first);
		if (two)
			tell_second();
		fuzz_revive(&target);
	}
	bare_print("\nfuzz: done\n");
}
