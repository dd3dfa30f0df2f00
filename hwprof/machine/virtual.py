"""Is this a virtual machine, a container, an emulated board? Told from files alone, as systemd-detect-virt does.

Facts used: CPUID's hypervisor bit (`hypervisor` in cpuinfo's flags), DMI strings, the devicetree's hypervisor node,
/sys/hypervisor, the clock source; for containers the marker files of the engines and the cgroup path.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hwprof.machine import tree

# What DMI's system vendor, product, board vendor or BIOS vendor starts with -> the hypervisor
DMI_VENDORS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Google Compute Engine", "google"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("Bochs", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Oracle Corporation", "virtualbox"),
    ("Xen", "xen"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "hyper-v"),
    ("Virtual Machine", "hyper-v"),
    ("Apple Virtualization", "apple"),
)
CLOCKS = {"kvm-clock": "kvm", "xen": "xen", "hyperv_clocksource_tsc_page": "hyper-v"}
CGROUP_ENGINES = (("docker", "docker"), ("kubepods", "kubernetes"), ("libpod", "podman"), ("lxc", "lxc"))


def virtualization(root: Path = Path("/")) -> dict[str, Any]:
    """`vm`: the hypervisor's name, "vm" where it hides it, None on bare metal; `container`: likewise; `evidence`."""
    evidence: list[str] = []
    machine = _machine(root, evidence)
    container = _container(root, evidence)
    return {"vm": machine, "container": container, "evidence": evidence}


def _machine(root: Path, evidence: list[str]) -> str | None:
    info = tree.cpuinfo(root)
    x86 = any("vendor_id" in entry for entry in info.values())
    flagged = any("hypervisor" in entry.get("flags", "").split() for entry in info.values())
    if flagged:
        evidence.append("cpuinfo: hypervisor flag")
    if "control_d" in (tree.text(root, "proc/xen/capabilities") or ""):
        evidence.append("/proc/xen/capabilities: control domain")
        return "xen"
    found = tree.text(root, "sys/hypervisor/type")
    if found:
        evidence.append(f"/sys/hypervisor/type: {found}")
        return found
    found = _devicetree(root, evidence)
    if found:
        return found
    # On x86 a cloud's bare-metal instance carries its vendor's DMI strings but no hypervisor bit. Elsewhere there
    # is no such bit and the strings decide, but for products that say that they are metal.
    product = tree.text(root, "sys/class/dmi/id/product_name") or ""
    if flagged or (not x86 and ".metal" not in product):
        for field in ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"):
            content = tree.text(root, f"sys/class/dmi/id/{field}") or ""
            for start, name in DMI_VENDORS:
                if content.startswith(start):
                    evidence.append(f"DMI {field}: {content}")
                    return name
    clock = tree.text(root, "sys/devices/system/clocksource/clocksource0/current_clocksource") or ""
    if clock in CLOCKS:
        evidence.append(f"clock source: {clock}")
        return CLOCKS[clock]
    if re.search(r"microsoft|WSL", tree.text(root, "proc/sys/kernel/osrelease") or ""):
        evidence.append("kernel release: WSL")
        return "wsl"
    return "vm" if flagged else None


def _devicetree(root: Path, evidence: list[str]) -> str | None:
    base = "proc/device-tree"
    found = tree.text(root, f"{base}/hypervisor/compatible")
    if found:
        evidence.append(f"devicetree hypervisor: {found.splitlines()[0]}")
        return "kvm" if "linux,kvm" in found else "xen" if "xen" in found else "vm"
    compatible = tree.text(root, f"{base}/compatible") or ""
    # linux,dummy-virt: the arm64 `virt` machine; riscv-virtio: the riscv64 one
    if "linux,dummy-virt" in compatible or "riscv-virtio" in compatible:
        evidence.append(f"devicetree compatible: {compatible.splitlines()[0]}")
        return "qemu"
    if any(name.startswith("fw-cfg@") for name in tree.names(root, base)):
        evidence.append("devicetree: fw-cfg")
        return "qemu"
    return None


def _container(root: Path, evidence: list[str]) -> str | None:
    told = tree.text(root, "run/systemd/container")
    if told:
        evidence.append(f"/run/systemd/container: {told}")
        return told
    if (root / "run/.containerenv").exists():
        evidence.append("/run/.containerenv")
        return "podman"
    if (root / ".dockerenv").exists():
        evidence.append("/.dockerenv")
        return "docker"
    groups = tree.text(root, "proc/self/cgroup") or ""
    for mark, name in CGROUP_ENGINES:
        if f"/{mark}" in groups:
            evidence.append(f"cgroup path: {mark}")
            return name
    return None
