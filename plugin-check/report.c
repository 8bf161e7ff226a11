/* SPDX-License-Identifier: Apache-2.0 */
/* Prints outcomes: lines for people, or TAP (version 13) for machines. */
#include <string.h>

#include "check.h"

static const char *const verdict_words[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_FAIL] = "FAIL",
	[VERDICT_SKIP] = "skip",
};

void report_begin(const struct report *report, const char *path)
{
	if (report->flags & REPORT_TAP)
		printf("TAP version 13\n# %s\n", path);
	else
		printf("%s\n", path);
}

/* Each line of text behind a prefix. */
static void print_lines(const char *prefix, const char *text)
{
	while (*text) {
		size_t bytes = strcspn(text, "\n");

		printf("%s%.*s\n", prefix, (int)bytes, text);
		text += bytes + (text[bytes] == '\n');
	}
}

static void print_text(const char *name, const struct check *check, const struct outcome *outcome)
{
	printf("  %-4s  %-24s  %s\n", verdict_words[outcome->verdict], name, check->rule);
	for (const struct said *said = outcome->findings; said; said = said->next) {
		print_lines("          ", said->text);
		if (said->remedy[0])
			print_lines("            remedy: ", said->remedy);
	}
}

/* In double quotes, as YAML wants it. */
static void print_yaml(const char *key, const char *text)
{
	printf("  %s\"", key);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			printf("\\x%02x", (unsigned char)*text);
		else
			putchar(*text);
	printf("\"\n");
}

static void print_tap(
	unsigned number, const char *name, const struct check *check, const struct outcome *outcome)
{
	const struct said *said = outcome->findings;

	printf("%sok %u - %s", said ? "not " : "", number, name);
	if (outcome->verdict == VERDICT_SKIP)
		printf(" # SKIP %s", outcome->notes->text);
	putchar('\n');
	if (!said)
		return;
	puts("  ---");
	print_yaml("rule: ", check->rule);
	puts("  findings:");
	for (; said; said = said->next) {
		print_yaml("  - text: ", said->text);
		if (said->remedy[0])
			print_yaml("    remedy: ", said->remedy);
	}
	puts("  ...");
}

void report_outcome(struct report *report, const char *type, const struct check *check,
	const struct outcome *outcome)
{
	bool is_tap = report->flags & REPORT_TAP;
	unsigned number = report->count[0] + report->count[1] + report->count[2] + 1;
	char name[128];

	snprintf(name, sizeof(name), "%s%s%s", type ? type : "", type ? "." : "", check->name);
	report->count[outcome->verdict]++;
	if (is_tap)
		print_tap(number, name, check, outcome);
	else
		print_text(name, check, outcome);
	if (!is_tap || outcome->verdict != VERDICT_SKIP)
		for (const struct said *said = outcome->notes; said; said = said->next)
			print_lines(is_tap ? "# " : "          ", said->text);
	if (outcome->output[0] && (outcome->findings || report->flags & REPORT_VERBOSE))
		print_lines(is_tap ? "# printed: " : "          printed: ", outcome->output);
	fflush(stdout);
}

bool report_end(const struct report *report)
{
	const unsigned *count = report->count;

	if (report->flags & REPORT_TAP)
		printf("1..%u\n", count[0] + count[1] + count[2]);
	else
		printf("%u passed, %u failed, %u skipped\n", count[VERDICT_OK], count[VERDICT_FAIL],
			count[VERDICT_SKIP]);
	return !count[VERDICT_FAIL];
}
