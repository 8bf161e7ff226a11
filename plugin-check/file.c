/* SPDX-License-Identifier: Apache-2.0 */
/* What the file itself shows: the note, what it exports and needs, how it is linked. Nothing of it
 * runs. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "plugin/note.h"

#define ENTRY_NAME "vmm_plugin_entry_v1"
#define LINK_ADVICE                                                                                \
	"link with vmm_add_plugin() of CMake, or with -Wl,-z,defs -Wl,-z,now -Wl,-Bsymbolic "      \
	"-Wl,--version-script=plugin.map"

static int open_file(const struct subject *subject)
{
	int fd = open(subject->real_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		finding(NULL, "%s: %s", subject->path, strerror(errno));
		done();
	}
	return fd;
}

static void check_note(struct subject *subject, const char *type)
{
	char text[TEXT_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct vmm_plugin_note note;
	int fd = open_file(subject);

	(void)type;
	if (plugin_note_read(fd, &note, &error) || plugin_note_check(&note, &error))
		finding("register the plugin with VMM_PLUGIN() of <vmm/entry.h>, once, at file "
			"level",
			"the file %s", text);
	close(fd);
}

static Elf *open_elf(const struct subject *subject)
{
	Elf *elf = NULL;

	if (elf_version(EV_CURRENT) != EV_NONE)
		elf = elf_begin(open_file(subject), ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		skip("this is no ELF file that could be read");
	return elf;
}

/* The first section of a type, with its data; NULL: there is none. */
static Elf_Data *find_section(Elf *elf, uint32_t type, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, ret_header) && ret_header->sh_type == type &&
			ret_header->sh_entsize)
			return elf_getdata(section, NULL);
	return NULL;
}

/* Calls visit for each dynamic symbol with its name. */
static void each_symbol(Elf *elf, void (*visit)(const GElf_Sym *symbol, const char *name))
{
	GElf_Shdr header;
	Elf_Data *data = find_section(elf, SHT_DYNSYM, &header);
	GElf_Sym symbol;

	if (!data)
		skip("the file has no table of dynamic symbols");
	for (int i = 1; gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);

		if (name)
			visit(&symbol, name);
	}
}

static void visit_exported(const GElf_Sym *symbol, const char *name)
{
	if (symbol->st_shndx == SHN_UNDEF || GELF_ST_BIND(symbol->st_info) == STB_LOCAL)
		return;
	/* "_v2" would serve another major from the same file. */
	if (strncmp(name, ENTRY_NAME, sizeof(ENTRY_NAME) - 2) != 0)
		finding(LINK_ADVICE, "exports \"%s\"; another plugin may have the same name", name);
}

static void check_exports(struct subject *subject, const char *type)
{
	(void)type;
	each_symbol(open_elf(subject), visit_exported);
}

static void visit_undefined(const GElf_Sym *symbol, const char *name)
{
	static const char *const words[] = {"vmm_", "lt_dl", "fake_"};

	if (symbol->st_shndx != SHN_UNDEF)
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(name, words[i], strlen(words[i])))
			finding("everything comes by hello->query(); link libvmm-plugin-support "
				"for "
				"the helpers of <vmm/support.h>",
				"wants the symbol \"%s\", but vmm exports none", name);
}

static void check_undefined(struct subject *subject, const char *type)
{
	(void)type;
	each_symbol(open_elf(subject), visit_undefined);
}

static void visit_call(const GElf_Sym *symbol, const char *name)
{
	static const struct {
		const char *name;
		const char *remedy;
	} calls[] = {
		{"exit", "return an error; stop() of vmm.machine ends the machine"},
		{"_exit", "return an error; stop() of vmm.machine ends the machine"},
		{"_Exit", "return an error; stop() of vmm.machine ends the machine"},
		{"quick_exit", "return an error; stop() of vmm.machine ends the machine"},
		{"longjmp", "return an error; nothing may jump across the ABI"},
		{"siglongjmp", "return an error; nothing may jump across the ABI"},
		{"__longjmp_chk", "return an error; nothing may jump across the ABI"},
		{"signal", "signals are the core's; use signalfd or eventfd and a watch"},
		{"sigaction", "signals are the core's; use signalfd or eventfd and a watch"},
		{"chdir", "the working directory is the whole process's; use absolute paths"},
		{"umask", "the mask is the whole process's; give modes to open and fchmod"},
		{"setenv", "the environment is the whole process's; use options"},
		{"putenv", "the environment is the whole process's; use options"},
		{"fork", "the sandbox lets no process start; use a worker or a thread"},
		{"vfork", "the sandbox lets no process start; use a worker or a thread"},
		{"system", "the sandbox lets no process start; use a worker or a thread"},
		{"popen", "the sandbox lets no process start; use a worker or a thread"},
		{"dlopen", "link what you need; the sandbox opens no files"},
	};

	if (symbol->st_shndx != SHN_UNDEF)
		return;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(name, calls[i].name))
			finding(calls[i].remedy, "calls %s()", name);
}

static void check_calls(struct subject *subject, const char *type)
{
	(void)type;
	each_symbol(open_elf(subject), visit_call);
}

static void check_dynamic(Elf *elf)
{
	GElf_Shdr header;
	Elf_Data *data = find_section(elf, SHT_DYNAMIC, &header);
	GElf_Dyn entry;

	for (int i = 0; data && gelf_getdyn(data, i, &entry); i++) {
		if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH)
			finding("link with -Wl,--disable-new-dtags and no -rpath; in CMake set "
				"CMAKE_SKIP_RPATH",
				"looks for libraries in \"%s\", which another machine does not "
				"have",
				elf_strptr(elf, header.sh_link, entry.d_un.d_val));
		if (entry.d_tag == DT_TEXTREL ||
			(entry.d_tag == DT_FLAGS && entry.d_un.d_val & DF_TEXTREL))
			finding("compile everything in it with -fPIC",
				"has text relocations: its code would have to be writable");
	}
}

static void check_link(struct subject *subject, const char *type)
{
	Elf *elf = open_elf(subject);
	size_t count = 0;
	bool has_relro = false;
	GElf_Phdr header;

	(void)type;
	check_dynamic(elf);
	elf_getphdrnum(elf, &count);
	for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &header); i++) {
		has_relro = has_relro || header.p_type == PT_GNU_RELRO;
		if (header.p_type == PT_GNU_STACK && header.p_flags & PF_X)
			finding("link with -Wl,-z,noexecstack; assembler files need a section "
				".note.GNU-stack",
				"wants an executable stack");
		if (header.p_type == PT_LOAD && header.p_flags & PF_W && header.p_flags & PF_X)
			finding("look for a linker script or for sections that are both",
				"has memory that is writable and executable");
	}
	if (!has_relro)
		finding("link with -Wl,-z,relro", "its tables stay writable when it is loaded");
}

const struct check file_checks[] = {
	{"file.note", "the ELF note tells ABI, architecture and types", check_note},
	{"file.exports", "the entry function is all that is exported", check_exports},
	{"file.undefined", "nothing of vmm is linked against", check_undefined},
	{"file.link", "it can be loaded anywhere, with memory writable or executable", check_link},
	{"file.calls", "what belongs to the whole process is left alone", check_calls},
	{0},
};
