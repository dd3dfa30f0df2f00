"""RISC-V instructions counted by class in QEMU, where no PMU counts them.

plugin.c counts inside QEMU (classify.h says what is what, qemu_abi.h how to talk to QEMU); build: makes it with the
host's compiler; counters: reads its file and makes metrics; root: Debian's riscv64 packages; simulator: the case in it.
"""
