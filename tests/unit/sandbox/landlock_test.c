/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock alone, in each version that this kernel can play: where there are no namespaces it is
 * what keeps files and others away.
 */
#include "kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/private.h"

#define NAME_BYTES 80

static char directories[2][32];
static char names[2][NAME_BYTES];

static int make_place(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(directories[i], sizeof(directories[i]), "/tmp/sandbox-%d-XXXXXX", i);
		if (!mkdtemp(directories[i]))
			return -1;
		snprintf(names[i], sizeof(names[i]), "%s/name", directories[i]);
	}
	return 0;
}

static int remove_place(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		unlink(names[i]);
		rmdir(directories[i]);
	}
	return 0;
}

static int landlocked(int version, bool network, const int *directory)
{
	return limits_prepare(NULL) < 0
		       ? -1
		       : landlock_enter(version, network, directory, directory ? 1 : 0);
}

/* Runs a check for each version that there is. */
static void each_version(void (*check)(uintptr_t version), int first)
{
	int last = landlock_version();

	if (last < first)
		skip();
	for (int version = first; version <= last && version <= 6; version++)
		kit_passes(check, (uintptr_t)version);
}

static void check_files(uintptr_t version)
{
	int directory = open(directories[0], O_PATH | O_CLOEXEC);
	int open_before;

	for (int i = 0; i < 2; i++)
		MUST(!close(open(names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
	open_before = open(names[1], O_RDWR | O_CLOEXEC);
	MUST(open_before >= 0);
	MUST(landlocked((int)version, false, &directory) == 0);
	MUST(write(open_before, "x", 1) == 1);
	for (int i = 0; i < 2; i++) {
		MUST(open(names[i], O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
		MUST(open(names[i], O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
	}
	MUST(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES);
	MUST(open("/tmp/sandbox-new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
	MUST(mkdir("/tmp/sandbox-new", 0700) < 0 && errno == EACCES);
	MUST(version < 3 || (truncate(names[1], 0) < 0 && errno == EACCES));
	MUST(unlink(names[1]) < 0 && errno == EACCES);
	MUST(unlinkat(directory, "name", 0) == 0);
}

static void test_x6_no_file_by_name_but_removal_in_one_directory(void **state)
{
	(void)state;
	each_version(check_files, 1);
}

static bool connects_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(9);
	MUST(fd >= 0);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno != EACCES;
}

static void check_no_tcp(uintptr_t version)
{
	MUST(connects_tcp());
	MUST(landlocked((int)version, false, NULL) == 0);
	MUST(!connects_tcp());
}

static void check_tcp(uintptr_t version)
{
	MUST(landlocked((int)version, true, NULL) == 0);
	MUST(connects_tcp());
}

static void test_x6_version_4_takes_tcp_from_who_needs_no_network(void **state)
{
	(void)state;
	each_version(check_no_tcp, 4);
	each_version(check_tcp, 4);
}

static bool connects_abstract(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static void check_others(uintptr_t version)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t other = getppid();

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "sandbox-%d", (int)getpid());
	MUST(fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 2));
	MUST(connects_abstract(&address) && kill(other, 0) == 0);
	MUST(landlocked((int)version, false, NULL) == 0);
	MUST(!connects_abstract(&address));
	MUST(kill(other, 0) < 0 && errno == EPERM);
	MUST(kill(getpid(), 0) == 0);
}

static void test_x6_version_6_takes_signals_and_sockets_of_others(void **state)
{
	(void)state;
	each_version(check_others, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_x6_no_file_by_name_but_removal_in_one_directory, make_place,
			remove_place),
		cmocka_unit_test(test_x6_version_4_takes_tcp_from_who_needs_no_network),
		cmocka_unit_test(test_x6_version_6_takes_signals_and_sockets_of_others),
	};

	return cmocka_run_group_tests_name("sandbox-landlock", tests, NULL, NULL);
}
