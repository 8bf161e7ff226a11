/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of the fuzzer by PVH (32-bit protected mode, ebx points to the start information) and of
 * its second processor, the way to 64-bit mode with 64 GiB mapped to themselves, and exceptions:
 * those of a guarded() call make it return 1.
 */
#define CODE32 8
#define DATA   16
#define CODE64 24

#define SELF_PAGES 64 /* of 1 GiB */
#define STACK_BYTES 65536

	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18			/* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	mov $stack_end, %esp
	mov %ebx, %esi			/* stays until kernel_main() has it */
	movl $pointers + 3, root
	xor %ecx, %ecx
1:	mov %ecx, %eax
	shl $12, %eax
	add $tables + 3, %eax
	mov %eax, pointers(, %ecx, 8)
	inc %ecx
	cmp $SELF_PAGES, %ecx
	jb 1b
	xor %ecx, %ecx
1:	mov %ecx, %eax
	shl $21, %eax
	or $0x83, %eax			/* present, writable, 2 MiB */
	mov %eax, tables(, %ecx, 8)
	mov %ecx, %eax
	shr $11, %eax
	mov %eax, tables + 4(, %ecx, 8)
	inc %ecx
	cmp $SELF_PAGES * 512, %ecx
	jb 1b
	mov $kernel_main, %edi
	jmp enter

second:
	mov $DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $second_stack_end, %esp
	mov $kernel_second, %edi
enter:
	mov $root, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $0x20, %eax			/* PAE */
	mov %eax, %cr4
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax			/* long mode */
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $CODE64, $long_mode

	.code64
long_mode:
	mov $DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov %esp, %esp
	mov %edi, %eax
	mov %esi, %edi
	call *%rax
1:	cli
	hlt
	jmp 1b

/* Copied to a page below 1 MiB, where the second processor starts in real mode. */
	.globl trampoline, trampoline_end
	.code16
trampoline:
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdt - trampoline
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $CODE32, $second
trampoline_gdt:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	.code64
/* int guarded(void (*function)(void *ctx), void *ctx); by the first processor only */
	.globl guarded
guarded:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	sub $8, %rsp
	mov %rsp, guard
	mov %rdi, %rax
	mov %rsi, %rdi
	call *%rax
	xor %eax, %eax
guard_end:
	movq $0, guard
	add $8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.globl exception, ignored
exception:
	mov guard, %rax
	test %rax, %rax
	jz 1f
	mov %rax, %rsp
	mov $1, %eax
	jmp guard_end
1:	mov %rsp, %rdi
	call kernel_exception
ignored:
	iretq

	.data
	.align 8
gdt:
	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
guard:
	.quad 0

	.bss
	.align 4096
root:
	.skip 4096
pointers:
	.skip 4096
tables:
	.skip 4096 * SELF_PAGES
	.skip STACK_BYTES
stack_end:
	.skip STACK_BYTES
second_stack_end:

	.section .note.GNU-stack, "", @progbits
