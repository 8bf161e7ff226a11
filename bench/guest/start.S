/* SPDX-License-Identifier: Apache-2.0 */
/* Entry by PVH: 32-bit protected mode without paging; ebx points to the start information. */
	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18			/* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.globl start
start:
	mov $stack_end, %esp
	push %ebx
	call kernel_main
1:	hlt
	jmp 1b

	.bss
	.align 16
	.skip 16384
stack_end:

	.section .note.GNU-stack, "", @progbits
