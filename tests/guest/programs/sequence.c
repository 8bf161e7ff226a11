/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a guest: writes numbered records and says of each that it is on the disk once the disk has
 * said so. On the host: tells up to which number a file or disk has them all.
 *
 * usage: sequence write FILE      appends records, for ever, and prints "stored N" after each
 *                                 fdatasync()
 *        sequence check FILE N    status 0 if records 1 to N are there
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 64 /* a record is a sector */

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static void make(uint64_t *record, uint64_t number)
{
	for (uint64_t i = 0; i < WORDS; i++)
		record[i] = (number << 8 | i) * UINT64_C(0x9e3779b97f4a7c15);
}

static int write_records(int fd)
{
	uint64_t record[WORDS];

	for (uint64_t number = 1;; number++) {
		make(record, number);
		if (pwrite(fd, record, sizeof(record), (off_t)((number - 1) * sizeof(record))) !=
			sizeof(record))
			return fail("write");
		if (fdatasync(fd))
			return fail("fdatasync");
		printf("stored %" PRIu64 "\n", number);
		fflush(stdout);
	}
}

static int check_records(int fd, uint64_t count)
{
	uint64_t record[WORDS];
	uint64_t expected[WORDS];

	for (uint64_t number = 1; number <= count; number++) {
		make(expected, number);
		if (pread(fd, record, sizeof(record), (off_t)((number - 1) * sizeof(record))) !=
				sizeof(record) ||
			memcmp(record, expected, sizeof(record)) != 0) {
			printf("record %" PRIu64 " of %" PRIu64 " is not there\n", number, count);
			return 1;
		}
	}
	printf("all %" PRIu64 " records are there\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	int writes = argc == 3 && !strcmp(argv[1], "write");
	int checks = argc == 4 && !strcmp(argv[1], "check");
	int fd = writes || checks ? open(argv[2], writes ? O_RDWR | O_CREAT : O_RDONLY, 0600) : -1;

	if (fd < 0)
		return fail("usage: sequence write FILE | check FILE N");
	return writes ? write_records(fd) : check_records(fd, strtoull(argv[3], NULL, 10));
}
