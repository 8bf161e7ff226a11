/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells what kind of kernel a file is and has it loaded; and what all protocols share: places for
 * our structures, modules, the command line.
 */
#include <stdlib.h>

#include "boot/elf.h"
#include "boot/load.h"

int load_place(struct load *load, uint64_t bytes, const char *what, uint64_t *ret_gpa)
{
	struct map_want want = {.bytes = bytes, .align = MAP_PAGE, .end = MAP_HOLE, .what = what};

	if (map_find(&load->map, &want, ret_gpa) == 0)
		return 0;
	want.end = MAP_4G;
	want.direction = MAP_TOP_DOWN;
	if (map_find(&load->map, &want, ret_gpa) == 0)
		return 0;
	return load_fail(load, VMM_E_LIMIT, "leaves no RAM for %s; give the guest more RAM", what);
}

int load_write(struct load *load, uint64_t gpa, const void *src, uint64_t bytes)
{
	int ret = memory_write(load->memory, (vmm_gpa){gpa}, src, bytes);

	return ret < 0 ? load_fail(load, ret, "guest address %#llx is not RAM",
				 (unsigned long long)gpa)
		       : 0;
}

int load_put(
	struct load *load, const void *src, uint64_t bytes, const char *what, uint64_t *ret_gpa)
{
	int ret = load_place(load, bytes, what, ret_gpa);

	return ret < 0 ? ret : load_write(load, *ret_gpa, src, bytes);
}

int load_string(struct load *load, const char *text, const char *what, uint64_t *ret_gpa)
{
	return load_put(load, text, strlen(text) + 1, what, ret_gpa);
}

int load_check_cmdline(struct load *load, uint64_t max, const char *who)
{
	const char *place = load->config->cmdline_place;
	size_t length = strlen(load->cmdline);

	if (length <= max)
		return 0;
	vmm_set_error(load->error,
		"%s%sthe kernel command line has %zu characters; %s takes at most %llu",
		place ? place : "", place ? ": " : "", length, who, (unsigned long long)max);
	return VMM_E_LIMIT;
}

static int load_module(struct load *load, const char *role, const char *place, const char *path,
	uint64_t min, struct load_module *module)
{
	struct map_want want = {.align = MAP_PAGE, .min = min, .end = MAP_4G, .what = "a module"};
	struct boot_file file;
	int ret = file_open(role, place, path, &file, load->error);

	if (ret < 0)
		return ret;
	want.bytes = module->bytes = file.bytes;
	if (map_find(&load->map, &want, &module->gpa) < 0)
		ret = file_fail(&file, load->error, VMM_E_LIMIT,
			"its %llu MiB do not fit into the RAM that is free behind the kernel; the "
			"guest has %llu MiB and needs at least %llu MiB",
			load_mib(file.bytes), load_mib(memory_bytes(load->memory)),
			load_mib(min + file.bytes + MAP_PAGE));
	else
		ret = file_load(&file, 0, file.bytes, load->memory, module->gpa, load->error);
	file_close(&file);
	return ret;
}

int load_modules(struct load *load, uint64_t min, struct load_module *modules, uint32_t *ret_count)
{
	const struct boot_config *config = load->config;
	uint32_t count = 0;
	int ret;

	if (config->initrd_path) {
		ret = load_module(load, "initrd", config->initrd_place, config->initrd_path, min,
			&modules[count]);
		if (ret < 0)
			return ret;
		modules[count++].cmdline = "";
	}
	for (size_t i = 0; i < config->module_count; i++) {
		const struct boot_module *module = &config->modules[i];

		ret = load_module(
			load, "module", module->place, module->path, min, &modules[count]);
		if (ret < 0)
			return ret;
		modules[count++].cmdline = module->cmdline ? module->cmdline : "";
	}
	*ret_count = count;
	return 0;
}

static int read_head(struct load *load)
{
	load->head_bytes =
		load->kernel.bytes < LOAD_HEAD_BYTES ? load->kernel.bytes : LOAD_HEAD_BYTES;
	return file_read(&load->kernel, 0, load->head, load->head_bytes, load->error);
}

static int load_any(struct load *load)
{
	int ret = read_head(load);

	if (ret < 0)
		return ret;
	if (linux_is(load))
		return linux_load(load);
	if (elf_is(load)) {
		ret = elf_load_pvh(load);
		if (ret != ELF_NO_PVH)
			return ret;
	}
	if (multiboot_is(load))
		return multiboot_load(load);
	return load_fail(load, VMM_E_INVAL,
		"cannot be booted: %s; a Linux bzImage, an ELF kernel with a PVH note or a "
		"Multiboot 1 kernel is needed",
		identify(load));
}

static int check_config(const struct boot_config *config, struct vmm_error *error)
{
	if (config->module_count > BOOT_MODULES_MAX) {
		vmm_set_error(error, "there are %zu modules; at most %d are possible",
			config->module_count, BOOT_MODULES_MAX);
		return VMM_E_LIMIT;
	}
	for (size_t i = 0; i < config->module_count; i++) {
		const char *cmdline = config->modules[i].cmdline;

		if (cmdline && strlen(cmdline) >= BOOT_CMDLINE_BYTES_MAX) {
			vmm_set_error(error,
				"the command line of module \"%s\" has %zu characters; at most %d "
				"are possible",
				config->modules[i].path, strlen(cmdline),
				BOOT_CMDLINE_BYTES_MAX - 1);
			return VMM_E_LIMIT;
		}
	}
	return 0;
}

int boot_load(struct memory *memory, const struct boot_config *config, struct vcpu_state *ret_bsp,
	struct boot_result *ret_result, struct vmm_error *error)
{
	int ret = check_config(config, error);
	struct load *load;

	if (ret < 0)
		return ret;
	load = calloc(1, sizeof(*load));
	if (!load) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	load->memory = memory;
	load->config = config;
	load->cmdline = config->cmdline ? config->cmdline : "";
	load->error = error;
	load->kernel.fd = -1;
	ret = map_init(&load->map, memory, config->reserved, config->reserved_count, error);
	if (ret == 0)
		ret = file_open(
			"kernel", config->kernel_place, config->kernel_path, &load->kernel, error);
	if (ret == 0)
		ret = load_any(load);
	if (ret == 0) {
		*ret_bsp = load->bsp;
		*ret_result = load->result;
	}
	file_close(&load->kernel);
	free(load);
	return ret;
}
