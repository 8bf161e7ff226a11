/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files, without a fuzzer: any compiler, any sanitizer, a debugger. Usage:
 * TARGET FILE-OR-FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned long run;

static int run_file(const char *path, size_t bytes)
{
	uint8_t *data = malloc(bytes ? bytes : 1);
	FILE *file = fopen(path, "rbe");

	if (!data || !file || fread(data, 1, bytes, file) != bytes) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, bytes);
	free(data);
	run++;
	return 0;
}

static int run_folder(const char *path)
{
	char name[PATH_MAX];
	struct dirent **list;
	int count = scandir(path, &list, NULL, alphasort);
	int ret = count < 0;

	for (int i = 0; i < count; i++) {
		struct stat st;

		snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.' && stat(name, &st) == 0 && S_ISREG(st.st_mode))
			ret |= run_file(name, (size_t)st.st_size);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	return ret;
}

int main(int argc, char **argv)
{
	int ret = argc < 2;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st)) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		ret |= S_ISDIR(st.st_mode) ? run_folder(argv[i])
					   : run_file(argv[i], (size_t)st.st_size);
	}
	printf("%lu inputs\n", run);
	return ret || !run;
}
