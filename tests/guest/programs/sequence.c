/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a guest: writes numbered records and says of each that it is on the disk once the disk has
 * said so. On the host: tells up to which number a file or disk has them all.
 *
 * usage: sequence write FILE SERIES      writes records, for ever, and prints "stored N" after each
 *                                        fdatasync()
 *        sequence check FILE SERIES N    status 0 if records 1 to N of that series are there
 *
 * Records of another series, which may be in the file from before, are other ones.
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

static void make(uint64_t *record, uint64_t series, uint64_t number)
{
	for (uint64_t i = 0; i < WORDS; i++)
		record[i] = (series << 40 | number << 8 | i) * UINT64_C(0x9e3779b97f4a7c15);
}

static int write_records(int fd, uint64_t series)
{
	uint64_t record[WORDS];

	for (uint64_t number = 1;; number++) {
		make(record, series, number);
		if (pwrite(fd, record, sizeof(record), (off_t)((number - 1) * sizeof(record))) !=
			sizeof(record))
			return fail("write");
		if (fdatasync(fd))
			return fail("fdatasync");
		printf("stored %" PRIu64 "\n", number);
		fflush(stdout);
	}
}

static int check_records(int fd, uint64_t series, uint64_t count)
{
	uint64_t record[WORDS];
	uint64_t expected[WORDS];

	for (uint64_t number = 1; number <= count; number++) {
		make(expected, series, number);
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
	int writes = argc == 4 && !strcmp(argv[1], "write");
	int checks = argc == 5 && !strcmp(argv[1], "check");
	int fd = writes || checks ? open(argv[2], writes ? O_RDWR | O_CREAT : O_RDONLY, 0600) : -1;
	uint64_t series;

	if (fd < 0)
		return fail("usage: sequence write FILE SERIES | check FILE SERIES N");
	series = strtoull(argv[3], NULL, 10);
	return writes ? write_records(fd, series)
		      : check_records(fd, series, strtoull(argv[4], NULL, 10));
}
