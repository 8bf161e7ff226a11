/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In a Linux guest, as root: reads characters from an I/O port and prints them.
 * usage: read-port [PORT [COUNT]]      (0x580, 5)
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

int main(int argc, char **argv)
{
	unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 0) : 0x580;
	unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 0) : 5;

	if (ioperm(port, 1, 1) < 0) {
		perror("ioperm");
		return 1;
	}
	while (count--)
		putchar(inb((unsigned short)port));
	putchar('\n');
	return 0;
}
