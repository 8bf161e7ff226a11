/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump-guest OUT [PLUGINS]: starts all of vmm with a KVM that is not there, for some machines of
 * type pc-1.0, and writes what their guests see into folders in OUT. PLUGINS is a folder of other
 * plugins than those that were built with it. No host is needed for it, and no guest is booted.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/testkit/virtio_driver.h>

#include "dump.h"
#include "guest.h"
#include "kvm.h"

#define ENTRIES_MAX  256u
#define TEXT_BYTES   512u
#define IMAGE_BYTES  (64 << 20)
#define ACPI_SLEEP   0x600u
#define POWER_OFF    0x34u
#define CPUID_FIELDS 7

int vmm_main(int argc, char **argv);

/* A configuration of pc-1.0. Options that a device has a default for are left out, for defaults are
 * a part of what the guest sees; back ends are those that depend on no host. */
struct machine {
	const char *name;
	uint32_t vcpus;
	const char *memory;
	const char *devices;
};

static const struct machine machines[] = {
	{"small", 1, "64M",
		"{ type = \"platform\"; },\n"
		"{ type = \"serial\"; id = \"com1\"; backend = \"null\"; }"},
	{"mmio", 1, "256M",
		"{ type = \"platform\"; },\n"
		"{ type = \"serial\"; id = \"com1\"; backend = \"null\"; },\n"
		"{ type = \"serial\"; id = \"com2\"; port = 0x2f8; irq = 3; backend = \"null\"; "
		"},\n"
		"{ type = \"debug-exit\"; },\n"
		"{ type = \"virtio-mmio\"; id = \"virtio0\"; },\n"
		"{ type = \"virtio-blk\"; id = \"disk0\"; path = \"disk.img\"; },\n"
		"{ type = \"virtio-net\"; id = \"net0\"; mac = \"52:54:00:12:34:56\"; backend = "
		"\"user\"; },\n"
		"{ type = \"virtio-rng\"; id = \"rng0\"; }"},
	/* As configs/server.cfg. */
	{"server", 4, "4G",
		"{ type = \"pci\"; id = \"pci0\"; },\n"
		"{ type = \"platform\"; },\n"
		"{ type = \"serial\"; id = \"com1\"; backend = \"null\"; },\n"
		"{ type = \"virtio-pci\"; id = \"virtio0\"; },\n"
		"{ type = \"virtio-blk\"; id = \"disk0\"; path = \"disk.img\"; },\n"
		"{ type = \"virtio-blk\"; id = \"data0\"; path = \"data.img\"; readonly = true; "
		"queues = 4; },\n"
		"{ type = \"virtio-net\"; id = \"net0\"; mac = \"52:54:00:12:34:56\"; backend = "
		"\"user\"; },\n"
		"{ type = \"virtio-net\"; id = \"net1\"; mac = \"52:54:00:12:34:57\"; backend = "
		"\"none\"; mtu = 9000; },\n"
		"{ type = \"virtio-rng\"; id = \"rng0\"; }"},
};

static struct {
	bool is_complete;
	char why[256];
} job;

static void die(const char *what, const char *name)
{
	fprintf(stderr, "dump-guest: %s %s\n", what, name);
	exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		die("cannot open", path);
	return file;
}

/* --- In the guest --- */

static void dump_map_of_start(FILE *out, struct fake_host *host)
{
	dump_memory_map(out, host, kvm_vcpu_registers(0)->rbx);
}

static void dump_all(void *ctx)
{
	static const struct {
		const char *name;
		void (*dump)(FILE *out, struct fake_host *host);
	} parts[] = {{"memory-map", dump_map_of_start}, {"acpi", dump_acpi}, {"ports", dump_ports},
		{"pci", dump_pci}, {"virtio", dump_virtio}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		FILE *out = open_file(parts[i].name, "we");

		parts[i].dump(out, ctx);
		fclose(out);
	}
}

static void guest_main(struct fake_host *host)
{
	job.is_complete = guest_try(dump_all, host, job.why, sizeof(job.why));
	fake_pio_write(host, ACPI_SLEEP, 1, POWER_OFF);
}

/* --- Around it --- */

static struct kvm_cpuid2 *read_host(const char *name)
{
	struct kvm_cpuid2 *table =
		calloc(1, sizeof(*table) + ENTRIES_MAX * sizeof(table->entries[0]));
	char text[TEXT_BYTES];
	FILE *file;

	snprintf(text, sizeof(text), "%s/%s.txt", TEST_HOSTS, name);
	file = open_file(text, "re");
	while (table && fgets(text, sizeof(text), file)) {
		struct kvm_cpuid_entry2 *e = &table->entries[table->nent];

		if (text[0] == '#')
			continue;
		if (table->nent == ENTRIES_MAX ||
			sscanf(text, "%x %x %x %x %x %x %x", &e->function, &e->index, &e->flags,
				&e->eax, &e->ebx, &e->ecx, &e->edx) != CPUID_FIELDS)
			die("not a line of a processor:", text);
		table->nent++;
	}
	fclose(file);
	return table;
}

static void write_inputs(const struct machine *machine, const char *plugins)
{
	static const char *const images[] = {"disk.img", "data.img"};
	FILE *file = open_file("guest.cfg", "we");

	fprintf(file,
		"machine = { type = \"pc-1.0\"; cpus = %u; memory = \"%s\"; sandbox = \"off\"; };\n"
		"boot = { kernel = \"" TEST_KERNELS "/pvh.elf\"; };\n"
		"plugins = { search = (\"%s\"); };\n"
		"log = { level = \"error\"; };\n"
		"devices = (\n%s);\n",
		machine->vcpus, machine->memory, plugins, machine->devices);
	fclose(file);
	for (size_t i = 0; i < sizeof(images) / sizeof(*images); i++) {
		file = open_file(images[i], "we");
		if (ftruncate(fileno(file), IMAGE_BYTES))
			die("cannot write", images[i]);
		fclose(file);
	}
}

static void run(const struct machine *machine)
{
	char name[] = "vmm", option[] = "-c", path[] = "guest.cfg";
	char *argv[] = {name, option, path, NULL};
	int status;

	job.is_complete = false;
	snprintf(job.why, sizeof(job.why), "its guest did not start");
	status = vmm_main(3, argv);
	if (status || !job.is_complete)
		die(machine->name, job.why);
}

static void dump_processors(
	const struct machine *machine, const struct kvm_cpuid2 *host, const char *host_name)
{
	uint32_t last = machine->vcpus - 1;
	char name[TEXT_BYTES];
	FILE *out;

	snprintf(name, sizeof(name), "cpuid-%s", host_name);
	out = open_file(name, "we");
	for (uint32_t i = 0; i <= last; i += last ? last : 1) {
		fprintf(out, "vCPU %u of %u\n", i, machine->vcpus);
		dump_cpuid(out, host, kvm_vcpu_cpuid(i));
	}
	fclose(out);
}

int main(int argc, char **argv)
{
	static const char *const hosts[] = {"amd-epyc", "amd-svm", "intel"};
	const char *plugins = argc == 3 ? argv[2] : TEST_PLUGINS;

	if (argc < 2 || argc > 3)
		die("usage:", "dump-guest OUT [PLUGINS]");
	if (chdir(argv[1]))
		die("no folder", argv[1]);
	kvm_install(guest_main);
	for (size_t h = 0; h < sizeof(hosts) / sizeof(*hosts); h++) {
		struct kvm_cpuid2 *host = read_host(hosts[h]);

		kvm_set_host_cpuid(host);
		for (size_t m = 0; m < sizeof(machines) / sizeof(*machines); m++) {
			mkdir(machines[m].name, 0777);
			if (chdir(machines[m].name))
				die("cannot make", machines[m].name);
			write_inputs(&machines[m], plugins);
			run(&machines[m]);
			dump_processors(&machines[m], host, hosts[h]);
			if (chdir(".."))
				die("cannot leave", machines[m].name);
		}
		free(host);
	}
	return 0;
}
