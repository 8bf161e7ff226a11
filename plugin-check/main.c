/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of vmm-plugin-check, and the order of its checks. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "check.h"
#include "version.h"

#define EXIT_PASSED 0
#define EXIT_BROKEN 1
#define EXIT_USAGE  2
#define SECONDS     60u

struct command {
	struct report report;
	struct subject subject;
	const char **only; /* patterns of names; end with NULL */
	const char **skip;
	unsigned seconds;
};

static const char usage_text[] =
	"Usage: vmm-plugin-check [OPTION]... FILE.so\n"
	"Checks that a device plugin keeps the rules of vmm's plugin ABI. Needs no KVM.\n\n"
	"  -s, --set [TYPE.]NAME=VALUE     an option for the devices that are made\n"
	"  -2, --second [TYPE.]NAME=VALUE  likewise, for the second of two devices\n"
	"      --plugins DIRECTORY         where plugins are that offer what it refers to\n"
	"      --only NAME                 only checks of this name; may be a pattern\n"
	"      --skip NAME                 not the checks of this name\n"
	"      --list                      print the names of the checks\n"
	"      --timeout SECONDS           what a check may take; 60\n"
	"      --tap                       print TAP, for machines\n"
	"  -v, --verbose                   print what the plugin prints, too\n"
	"      --version\n"
	"  -h, --help\n\n"
	"Exit status: 0 all passed, 1 a check failed, 2 it could not be done.\n"
	"Manual page: vmm-plugin-check(1).\n";

static void append(const char ***list, const char *text)
{
	size_t count = 0;

	while (*list && (*list)[count])
		count++;
	*list = realloc(*list, (count + 2) * sizeof(**list));
	if (!*list)
		abort();
	(*list)[count] = text;
	(*list)[count + 1] = NULL;
}

static char *append_text(char ***list, size_t *count, const char *text)
{
	*list = realloc(*list, (*count + 2) * sizeof(**list));
	if (!*list)
		abort();
	(*list)[*count] = strdup(text);
	(*list)[++*count] = NULL;
	return (*list)[*count - 1];
}

void subject_learn(struct subject *subject, char kind, const char *text)
{
	struct provider *provider, **link;
	char interface[256], type[64];
	int file = 0;

	if (kind == 'T') {
		append_text(&subject->types, &subject->type_count, text);
		return;
	}
	if (sscanf(text, "%255s %63s %n", interface, type, &file) != 2 || !file)
		return;
	provider = calloc(1, sizeof(*provider));
	if (!provider)
		abort();
	provider->interface = strdup(interface);
	provider->type = strdup(type);
	provider->file = strdup(text + file);
	for (link = &subject->providers; *link; link = &(*link)->next)
		;
	*link = provider;
}

static int fail(const char *what, const char *text)
{
	fprintf(stderr, "vmm-plugin-check: %s%s%s; see vmm-plugin-check --help\n", what,
		text[0] ? " " : "", text);
	return EXIT_USAGE;
}

/* ---- Checks ---- */

static bool matches(const char *const *patterns, const char *type, const char *name)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s%s", type ? type : "", type ? "." : "", name);
	for (; patterns && *patterns; patterns++)
		if (!fnmatch(*patterns, full, 0) || !fnmatch(*patterns, name, 0))
			return true;
	return false;
}

static void run_checks(struct command *command, const struct check *checks, const char *type)
{
	for (; checks->name && !outcome_signal(); checks++) {
		/* Others are built on what these find out. */
		bool is_needed = checks == load_checks || checks == load_checks + 2;
		bool is_wanted = (!command->only || matches(command->only, type, checks->name)) &&
				 !matches(command->skip, type, checks->name);
		struct outcome outcome;

		if (!is_wanted && !is_needed)
			continue;
		outcome_of(checks, &command->subject, type, command->seconds, &outcome);
		if (!outcome_signal() && (is_wanted || outcome.verdict == VERDICT_FAIL))
			report_outcome(&command->report, type, checks, &outcome);
		outcome_fini(&outcome);
	}
}

static int run(struct command *command)
{
	const struct subject *subject = &command->subject;

	report_begin(&command->report, subject->path);
	run_checks(command, file_checks, NULL);
	run_checks(command, load_checks, NULL);
	for (size_t i = 0; i < subject->type_count; i++) {
		run_checks(command, life_checks, subject->types[i]);
		run_checks(command, fault_checks, subject->types[i]);
		run_checks(command, guest_checks, subject->types[i]);
	}
	return report_end(&command->report) ? EXIT_PASSED : EXIT_BROKEN;
}

static void list_checks(void)
{
	const struct check *const all[] = {
		file_checks, load_checks, life_checks, fault_checks, guest_checks};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct check *check = all[i]; check->name; check++)
			printf("%s%-16s  %s\n", i < 2 ? "" : "TYPE.", check->name, check->rule);
}

/* ---- What checks need ---- */

/* Plugins lie next to this one, and where vmm looks for them. */
static void add_search(struct subject *subject)
{
	char path[PATH_MAX] = "", *slash, *installed = NULL;
	char *directory = strdup(subject->real_path);

	if (!directory)
		abort();
	*strrchr(directory, '/') = '\0';
	append(&subject->search, directory);
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) <= 0)
		return;
	for (int i = 0; i < 2; i++)
		if ((slash = strrchr(path, '/')))
			*slash = '\0';
	if (asprintf(&installed, "%s/lib/vmm/plugins", path) < 0)
		abort();
	if (!access(installed, R_OK) && strcmp(installed, directory) != 0)
		append(&subject->search, installed);
}

static int make_directory(struct subject *subject)
{
	const char *parent = getenv("TMPDIR");
	struct statvfs mount;

	if (asprintf(&subject->directory, "%s/vmm-plugin-check-XXXXXX",
		    parent && parent[0] == '/' ? parent : "/tmp") < 0)
		abort();
	if (!mkdtemp(subject->directory))
		return fail(subject->directory, strerror(errno));
	/* Plugins are copied there, and vmm loads none from such a place. */
	if (statvfs(subject->directory, &mount) == 0 && mount.f_flag & ST_NOEXEC) {
		rmdir(subject->directory);
		return fail(subject->directory,
			"is on a file system that is mounted noexec; set TMPDIR to another");
	}
	return -1;
}

static void remove_directory(const struct subject *subject)
{
	DIR *directory = opendir(subject->directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(subject->directory);
}

/* ---- The command line ---- */

enum key {
	KEY_PLUGINS = 256,
	KEY_ONLY,
	KEY_SKIP,
	KEY_LIST,
	KEY_TIMEOUT,
	KEY_TAP,
	KEY_VERSION,
};

static int set_timeout(struct command *command, const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (*end || !seconds || seconds > 86400)
		return fail("--timeout is a number of seconds from 1 to 86400, not", text);
	command->seconds = (unsigned)seconds;
	return -1;
}

/* Returns the exit status, or -1: go on. */
static int take_option(struct command *command, int key)
{
	char *directory;

	switch (key) {
	case 's':
	case '2':
		if (!strchr(optarg, '='))
			return fail("an option is set with NAME=VALUE, not", optarg);
		append(key == 's' ? &command->subject.settings : &command->subject.second, optarg);
		return -1;
	case KEY_PLUGINS:
		directory = realpath(optarg, NULL);
		if (!directory)
			return fail("there is no directory", optarg);
		append(&command->subject.search, directory);
		return -1;
	case KEY_ONLY:
		append(&command->only, optarg);
		return -1;
	case KEY_SKIP:
		append(&command->skip, optarg);
		return -1;
	case KEY_TIMEOUT:
		return set_timeout(command, optarg);
	case KEY_TAP:
		command->report.flags |= REPORT_TAP;
		return -1;
	case 'v':
		command->report.flags |= REPORT_VERBOSE;
		return -1;
	case KEY_LIST:
		list_checks();
		return EXIT_PASSED;
	case KEY_VERSION:
		printf("vmm-plugin-check %s, plugin ABI %u.%u\n", VMM_CORE_VERSION, VMM_ABI_MAJOR,
			VMM_ABI_MINOR);
		return EXIT_PASSED;
	case 'h':
		fputs(usage_text, stdout);
		return EXIT_PASSED;
	default:
		return fail("this is wrong:", "an option is not known or lacks its value");
	}
}

static int parse(struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"set", required_argument, NULL, 's'},
		{"second", required_argument, NULL, '2'},
		{"plugins", required_argument, NULL, KEY_PLUGINS},
		{"only", required_argument, NULL, KEY_ONLY},
		{"skip", required_argument, NULL, KEY_SKIP},
		{"list", no_argument, NULL, KEY_LIST},
		{"timeout", required_argument, NULL, KEY_TIMEOUT},
		{"tap", no_argument, NULL, KEY_TAP},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, KEY_VERSION},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct subject *subject = &command->subject;
	int status = -1, key;

	while (status < 0 && (key = getopt_long(argc, argv, "s:2:vh", options, NULL)) != -1)
		status = take_option(command, key);
	if (status >= 0)
		return status;
	if (optind != argc - 1)
		return fail("one file is checked,",
			optind < argc ? "not several" : "and there is none");
	subject->path = argv[optind];
	subject->real_path = realpath(subject->path, NULL);
	return subject->real_path ? -1 : fail(subject->path, strerror(errno));
}

int main(int argc, char **argv)
{
	static const char *nothing[] = {NULL};
	struct command command = {.seconds = SECONDS};
	int status = parse(&command, argc, argv);

	if (status >= 0)
		return status;
	if (!command.subject.settings)
		command.subject.settings = nothing;
	if (!command.subject.second)
		command.subject.second = nothing;
	add_search(&command.subject);
	outcome_catch_signals();
	if (make_directory(&command.subject) >= 0)
		return EXIT_USAGE;
	status = run(&command);
	remove_directory(&command.subject);
	if (outcome_signal()) {
		signal(outcome_signal(), SIG_DFL);
		raise(outcome_signal());
	}
	return status;
}
