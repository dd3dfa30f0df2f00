"""Is this a virtual machine, a container? Told from files alone, in the order in which they can be trusted."""

from __future__ import annotations

import re
from pathlib import Path

from hwprof.machine import files
from hwprof.machine.files import ROOT

# How DMI strings begin, and whose they are
DMI = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Google Compute Engine", "google"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("Bochs", "qemu"),
    ("VMware", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Virtual Machine", "hyper-v"),
    ("Apple Virtualization", "apple"),
)
CLOCKS = {"kvm-clock": "kvm", "xen": "xen", "hyperv_clocksource_tsc_page": "hyper-v"}
ENGINES = {"docker": "docker", "kubepods": "kubernetes", "libpod": "podman", "lxc": "lxc"}


def virtual_machine(root: Path = ROOT) -> str | None:
    """Name of the hypervisor or emulator, `hypervisor` where it hides its name; None: none seen.

    On x86 a cloud's bare-metal machine carries its vendor's DMI strings too, but not CPUID's hypervisor bit: without
    the bit the strings say nothing. Other architectures have no such bit and the strings decide, but for products
    that call themselves metal.
    """
    cpuinfo = files.read(root / "proc/cpuinfo") or ""
    x86, flagged = "vendor_id" in cpuinfo, bool(re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE))
    if "control_d" in (files.read(root / "proc/xen/capabilities") or ""):
        return "xen"
    told = files.read(root / "sys/hypervisor/type") or _devicetree(root)
    if told:
        return told
    product = files.read(root / "sys/class/dmi/id/product_name") or ""
    if flagged or (not x86 and ".metal" not in product):
        for field in ("product_name", "sys_vendor", "board_vendor", "bios_vendor"):
            content = files.read(root / "sys/class/dmi/id" / field) or ""
            for start, name in DMI:
                if content.startswith(start):
                    return name
    clock = files.read(root / "sys/devices/system/clocksource/clocksource0/current_clocksource") or ""
    if clock in CLOCKS:
        return CLOCKS[clock]
    if re.search(r"microsoft|WSL", files.read(root / "proc/sys/kernel/osrelease") or ""):
        return "wsl"
    return "hypervisor" if flagged else None


def _devicetree(root: Path) -> str | None:
    for base in (root / "proc/device-tree", root / "sys/firmware/devicetree/base"):
        node = files.read(base / "hypervisor/compatible")
        if node:
            return "kvm" if "kvm" in node else "xen" if "xen" in node else "hypervisor"
        compatible = files.read(base / "compatible") or ""
        # The names of QEMU's `virt` boards, arm64 and riscv64
        if "dummy-virt" in compatible or "riscv-virtio" in compatible:
            return "qemu"
    return None


def container(root: Path = ROOT) -> str | None:
    """Name of the container engine; None: none seen."""
    told = files.read(root / "run/systemd/container")
    if told:
        return told
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    groups = files.read(root / "proc/self/cgroup") or ""
    return next((name for mark, name in ENGINES.items() if f"/{mark}" in groups), None)


def is_emulated(root: Path = ROOT) -> bool:
    """Whether this machine is an emulator's: then its PMU counts what the emulator invents.

    Arm's and RISC-V's QEMU boards say so in the device tree, x86 in the CPU's name. KVM guests on Arm use the same
    board name: their PMU is real, but can't be told apart here.
    """
    base = root / "sys/firmware/devicetree/base"
    for name in ("model", "compatible"):
        text = (files.read(base / name) or "").lower()
        if "qemu" in text or "dummy-virt" in text:
            return True
    vendor, cpuinfo = (files.read(root / n) or "" for n in ("sys/class/dmi/id/sys_vendor", "proc/cpuinfo"))
    return "QEMU" in vendor and bool(
        re.search(r"model name\s*:.*(QEMU|TCG)|uarch\s*:.*qemu", cpuinfo) or "mvendorid" in cpuinfo
    )


# Set in the guest by hwprof.boards: "exact" or "ticks". Of an emulator started by someone else nothing is known.
BOARD_COUNTS = "HWPROF_BOARD_COUNTS"
