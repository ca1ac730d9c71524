# Unpacks an LZ4 kernel and starts it; stands where a bzImage has its own unpacking code.
#
# The boot loader's real-mode part (kept from the distribution's bzImage) enters at the first byte,
# in 32-bit protected mode with flat segments, interrupts off and %esi holding boot_params, as
# Documentation/x86/boot.rst of the kernel says. We map the first 4 GiB one to one, go to 64-bit
# mode, unpack, and enter the kernel at its 64-bit entry with %rsi holding boot_params.
#
# The source is a run of blocks, each a 32-bit length and an LZ4 block; a length of zero ends it.
#
# Assemble: as --64 stub.S -o stub.o && ld -Ttext=0x100000 --oformat binary stub.o -o stub.bin

        .set    BASE, 0x100000
        .set    PAGE_TABLES, BASE + 0x1000
        .set    STACK_TOP, BASE + 0x8000

        .code32
        .globl  _start
_start:
        jmp     begin
        .balign 4
# The build fills these in.
destination:
        .long   0
entry:
        .long   0
source:
        .long   0

        .balign 8
descriptors:
        .quad   0
        .quad   0
        .quad   0x00af9a000000ffff      # 0x10: 64-bit code
        .quad   0x00cf92000000ffff      # 0x18: data
descriptors_end:
descriptors_pointer:
        .word   descriptors_end - descriptors - 1
        .long   descriptors

begin:
        cli
        cld
        movl    %esi, %ebp

# Page tables: one top table, one directory pointer table, four directories of 2 MiB pages.
        movl    $PAGE_TABLES, %edi
        xorl    %eax, %eax
        movl    $(6 * 4096 / 4), %ecx
        rep stosl
        movl    $(PAGE_TABLES + 0x1000 + 3), PAGE_TABLES
        movl    $(PAGE_TABLES + 0x2000 + 3), PAGE_TABLES + 0x1000
        movl    $(PAGE_TABLES + 0x3000 + 3), PAGE_TABLES + 0x1008
        movl    $(PAGE_TABLES + 0x4000 + 3), PAGE_TABLES + 0x1010
        movl    $(PAGE_TABLES + 0x5000 + 3), PAGE_TABLES + 0x1018
        movl    $(PAGE_TABLES + 0x2000), %edi
        movl    $0x83, %eax
        movl    $2048, %ecx
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        decl    %ecx
        jnz     1b

        lgdt    descriptors_pointer
        movl    %cr4, %eax
        orl     $0x20, %eax             # physical address extension
        movl    %eax, %cr4
        movl    $PAGE_TABLES, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       # EFER
        rdmsr
        orl     $0x100, %eax            # long mode
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax       # paging, protection
        movl    %eax, %cr0
        ljmp    $0x10, $long_mode

        .code64
long_mode:
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $STACK_TOP, %esp
        movl    source, %esi
        movl    destination, %edi

# One block: %r8 is its end.
block:
        lodsl
        testl   %eax, %eax
        jz      unpacked
        leaq    (%rsi, %rax), %r8

# One sequence: a token, literals, and unless the block ends here, a match.
sequence:
        lodsb
        movzbl  %al, %edx
        movl    %edx, %ecx
        shrl    $4, %ecx
        call    lengthen
        movl    %ecx, %eax
        shrl    $3, %ecx
        rep movsq
        movl    %eax, %ecx
        andl    $7, %ecx
        rep movsb
        cmpq    %r8, %rsi
        jae     block
        lodsw
        movzwl  %ax, %ebx               # distance back
        movl    %edx, %ecx
        andl    $15, %ecx
        call    lengthen
        addl    $4, %ecx
        movq    %rsi, %r9
        movq    %rdi, %rsi
        subq    %rbx, %rsi
        cmpl    $8, %ebx
        jb      near
        movl    %ecx, %eax
        shrl    $3, %ecx
        rep movsq
        movl    %eax, %ecx
        andl    $7, %ecx
near_rest:
        rep movsb
        movq    %r9, %rsi
        jmp     sequence

# A short distance repeats itself. Runs of one byte are many and long (zeros); others are few.
near:
        cmpl    $1, %ebx
        jne     near_rest
        movl    %ecx, %r10d
        movzbl  (%rsi), %eax
        movabsq $0x0101010101010101, %rdx
        imulq   %rdx, %rax
        shrl    $3, %ecx
        rep stosq
        movl    %r10d, %ecx
        andl    $7, %ecx
        rep stosb
        movq    %r9, %rsi
        jmp     sequence

# A length of 15 goes on in further bytes, up to and including the first that is not 255.
lengthen:
        cmpl    $15, %ecx
        jne     2f
1:      lodsb
        movzbl  %al, %eax
        addl    %eax, %ecx
        cmpl    $255, %eax
        je      1b
2:      ret

unpacked:
        movl    %ebp, %esi
        movl    entry, %eax
        jmp     *%rax
