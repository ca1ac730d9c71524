# The disk's first sector: fetches the sectors behind it and goes on there.
#
# Assemble: as --32 first.S -o first.o && ld -m elf_i386 -Ttext=0x7c00 --oformat binary first.o -o first.bin

        .code16
        .globl  _start
_start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movw    %ax, %ds
        movw    %ax, %es
        sti
        cld
        pushw   %dx
        movw    $packet, %si
        movb    $0x42, %ah
        int     $0x13
        popw    %dx
        jc      failed
        ljmp    $0, $0x8000
failed:
        int     $0x18
        hlt

        .balign 4
packet:
        .word   16, 3
        .word   0x8000, 0
        .quad   1
