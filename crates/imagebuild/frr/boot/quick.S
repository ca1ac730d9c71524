# Reads an IDE disk by bus-master DMA on behalf of the boot loader.
#
# The BIOS of QEMU reads IDE disks a word at a time through a port, which costs a guest under
# software emulation some ten seconds for kernel and initramfs. If the boot disk is on such a
# controller (told by the BIOS's own disk parameters and PCI functions), a small handler goes to
# the top of conventional memory and stands before the BIOS's int 0x13: it answers extended reads
# (0x42) of the boot disk by DMA and hands everything else, and whatever fails, to the BIOS. On
# other controllers nothing is hooked. Then the boot loader's own first sector, which lies behind
# this code, is put to 0x7c00 and run.
#
# Ports: ATA registers at io..io+7; bus master at bm: command, +2 status, +4 address of the table
# of physical regions (PCI IDE Controller Specification 1.0).
#
# Assemble: as --32 quick.S -o quick.o && ld -m elf_i386 -Ttext=0x8000 --oformat binary quick.o -o quick.bin

        .code16
        .set    CHAIN, 0x8400
        .set    PARAMETERS, 0x8800

        .globl  _start
_start:
        pushw   %dx
        cmpb    $0x80, %dl
        jne     chain

# Where the boot disk is: the BIOS tells port and drive by a pointer in its parameters.
        movw    $PARAMETERS, %si
        movw    $0x1e, (%si)
        movb    $0x48, %ah
        int     $0x13
        jc      chain
        movw    $PARAMETERS, %si
        cmpw    $0x1e, (%si)
        jb      chain
        movw    0x1c(%si), %ax
        cmpw    $0xffff, %ax
        je      chain
        movw    %ax, %es
        movw    0x1a(%si), %di
        xorw    %bp, %bp
        movw    %es:(%di), %ax
        cmpw    $0x1f0, %ax
        je      1f
        movw    $8, %bp
        cmpw    $0x170, %ax
        jne     chain
1:      movw    %ax, io
        movb    %es:4(%di), %al
        andb    $0x10, %al
        orb     $0xe0, %al
        movb    %al, drive

# The controller: class 01, subclass 01, bus master, both channels at their old ports.
        movl    $0x010180, %ecx
        xorw    %si, %si
        movw    $0xb103, %ax
        int     $0x1a
        jc      chain
        testb   %ah, %ah
        jnz     chain
        movw    $0x20, %di
        movw    $0xb10a, %ax
        int     $0x1a
        jc      chain
        testb   $1, %cl
        jz      chain
        andw    $0xfff0, %cx
        jz      chain
        addw    %bp, %cx
        movw    %cx, bm
        movw    $4, %di
        movw    $0xb109, %ax
        int     $0x1a
        jc      chain
        orw     $5, %cx
        movw    $4, %di
        movw    $0xb10c, %ax
        int     $0x1a
        jc      chain

# Take a KiB off conventional memory and stand before the BIOS.
        movl    0x13 * 4, %eax
        movl    %eax, bios
        decw    0x413
        movw    0x413, %ax
        shlw    $6, %ax
        movw    %ax, %es
        movw    $resident, %si
        xorw    %di, %di
        movw    $(resident_end - resident), %cx
        rep movsb
        movw    $0, 0x13 * 4
        movw    %es, 0x13 * 4 + 2

chain:
        xorw    %ax, %ax
        movw    %ax, %es
        popw    %dx
        movw    $CHAIN, %si
        movw    $0x7c00, %di
        movw    $256, %cx
        rep movsw
        ljmp    $0, $0x7c00

        .balign 16
resident:
        cmpb    $0x42, %ah
        jne     pass
        cmpb    $0x80, %dl
        jne     pass
        pushal

# The request: 1 to 128 sectors, an address below 2^28, an even place in memory.
        cmpb    $16, (%si)
        jb      give_up
        movzwl  2(%si), %ecx
        leal    -1(%ecx), %eax
        cmpl    $127, %eax
        ja      give_up
        cmpl    $0, 12(%si)
        jne     give_up
        movl    8(%si), %ebx
        testl   $0xf0000000, %ebx
        jnz     give_up
        movzwl  6(%si), %eax
        shll    $4, %eax
        movzwl  4(%si), %edx
        addl    %edx, %eax
        testb   $1, %al
        jnz     give_up

# One or two regions: none may cross a boundary of 64 KiB.
        movl    %eax, %cs:(regions - resident)
        movzwl  %ax, %edx
        movl    $0x10000, %edi
        subl    %edx, %edi
        movl    %ecx, %ebp
        shll    $9, %ebp
        movl    $(regions + 4 - resident), %esi
        cmpl    %edi, %ebp
        jbe     1f
        movzwl  %di, %edx
        movl    %edx, %cs:(%si)
        addl    %edi, %eax
        movl    %eax, %cs:4(%si)
        subl    %edi, %ebp
        addw    $8, %si
1:      movzwl  %bp, %edx
        orl     $0x80000000, %edx
        movl    %edx, %cs:(%si)

# The bus master: stop, forget, where the regions are, direction.
        movw    %cs:(bm - resident), %dx
        xorb    %al, %al
        outb    %al, %dx
        addw    $2, %dx
        movb    $6, %al
        outb    %al, %dx
        addw    $2, %dx
        xorl    %eax, %eax
        movw    %cs, %ax
        shll    $4, %eax
        addl    $(regions - resident), %eax
        outl    %eax, %dx
        subw    $4, %dx
        movb    $8, %al
        outb    %al, %dx

# The drive: address, count, READ DMA.
        movw    %cs:(io - resident), %dx
        addw    $7, %dx
        call    wait_idle
        jc      give_up
        decw    %dx
        movl    %ebx, %eax
        shrl    $24, %eax
        orb     %cs:(drive - resident), %al
        outb    %al, %dx
        incw    %dx
        call    wait_idle
        jc      give_up
        subw    $5, %dx
        movb    %cl, %al
        outb    %al, %dx
        incw    %dx
        movb    %bl, %al
        outb    %al, %dx
        incw    %dx
        movb    %bh, %al
        outb    %al, %dx
        incw    %dx
        shrl    $16, %ebx
        movb    %bl, %al
        outb    %al, %dx
        addw    $2, %dx
        movb    $0xc8, %al
        outb    %al, %dx

        movw    %cs:(bm - resident), %dx
        movb    $9, %al
        outb    %al, %dx
        addw    $2, %dx
        movl    $0x4000000, %ecx
1:      inb     %dx, %al
        testb   $1, %al
        jz      1f
        decl    %ecx
        jnz     1b
1:      movb    %al, %bl
        subw    $2, %dx
        xorb    %al, %al
        outb    %al, %dx
        movw    %cs:(io - resident), %dx
        addw    $7, %dx
        call    wait_idle
        jc      give_up
        testb   $0x21, %al
        jnz     give_up
        testb   $3, %bl
        jnz     give_up

        popal
        movb    $0, %ah
        pushw   %bp
        movw    %sp, %bp
        andb    $0xfe, 6(%bp)
        popw    %bp
        iret

give_up:
        popal
pass:
        ljmp    *%cs:(bios - resident)

# Waits until the drive is not busy; its status goes to %al, the carry tells that it never was.
wait_idle:
        movl    $0x1000000, %edi
1:      inb     %dx, %al
        testb   $0x80, %al
        jz      1f
        decl    %edi
        jnz     1b
        stc
        ret
1:      clc
        ret

        .balign 8
regions:
        .quad   0, 0
bios:   .long   0
io:     .word   0
bm:     .word   0
drive:  .byte   0
resident_end:
