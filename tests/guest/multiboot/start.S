/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of the test kernels: a stack, and on to C with what the loader left in the registers. One
 * of MULTIBOOT, MULTIBOOT_FLAT and PVH says by which protocol this build wants to be loaded.
 */
#define MB_MAGIC 0x1badb002
#define MB_ALIGN_MEMORY 0x3
#define MB_ADDRESSES 0x10000

#if defined(PVH)
	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18			/* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start
#else
	.section .header, "a"
	.align 4
header:
#if defined(MULTIBOOT_FLAT)
	.long MB_MAGIC, MB_ALIGN_MEMORY | MB_ADDRESSES, -(MB_MAGIC + MB_ALIGN_MEMORY + MB_ADDRESSES)
	.long header, image_start, image_end, bss_end, start
#else
	.long MB_MAGIC, MB_ALIGN_MEMORY, -(MB_MAGIC + MB_ALIGN_MEMORY)
#endif
#endif

	.text
	.globl start
start:
	mov $stack_end, %esp
	pushf
	mov %cr0, %ecx
	push %ecx
	push %ebx
	push %eax
	call kernel_main
1:	hlt
	jmp 1b

	.bss
	.align 16
	.skip 16384
stack_end:

	.section .note.GNU-stack, "", @progbits
