"""The worker inside QEMU's user mode: which CPU, which QEMU, which command line."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof.boards.machines import require
from hwprof.cache import default_cache
from hwprof.collectors.perf.tables import with_caches
from hwprof.collectors.protocol import UnswitchedWrapper
from hwprof.collectors.riscv.build import interface, plugin
from hwprof.collectors.riscv.caches import CacheModel, parse_model
from hwprof.collectors.riscv.counters import LABEL, LABEL_VARIABLE, MODEL_VARIABLE, VARIABLE
from hwprof.collectors.riscv.root import library_path, place, root
from hwprof.errors import NotAvailable, NotInstalled, UsageError
from hwprof.machine import compiler

# Names another qemu-riscv64 than that of the PATH.
QEMU_VARIABLE = "HWPROF_QEMU_RISCV64"
REMEDY = (
    "apt-get install qemu-user on Debian 12 (7.2); the packages of QEMU 8 and later are static and can't load plugins. "
    f"{QEMU_VARIABLE} names another qemu-riscv64"
)
VLENS = (128, 256, 512, 1024)
# What of the launcher's environment the emulated process is given; PYTHON* and LD_* are of the wrong machine.
PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM")


@dataclass(frozen=True, slots=True)
class Cpu:
    """The emulated CPU: RV64GC and, with `v`, RVV 1.0 with registers of `vlen` bits. `caches`: None, none modelled."""

    v: bool = True
    vlen: int = 256
    caches: CacheModel | None = None

    @property
    def model(self) -> str:
        """What counts of the modelled caches are marked with: l1d-misses@riscv64-spacemit-x60; "": there are none."""
        return f"{LABEL}-{self.caches.name}" if self.caches else ""

    @property
    def label(self) -> str:
        """What its metrics are marked with: instructions@riscv64, @riscv64-no-v, @riscv64-vlen128."""
        if not self.v:
            return f"{LABEL}-no-v"
        return LABEL if self.vlen == Cpu.__dataclass_fields__["vlen"].default else f"{LABEL}-vlen{self.vlen}"

    @property
    def option(self) -> str:
        """QEMU's -cpu."""
        return f"rv64,v=true,vlen={self.vlen},elen=64,vext_spec=v1.0" if self.v else "rv64,v=false"

    def facts(self) -> dict[str, Any]:
        """What simulated, for the run's record."""
        facts = {"simulator": self.label, "simulator_cpu": self.option, "simulator_version": version(qemu())}
        return {**facts, **(self.caches.facts() if self.caches else {})}


def parse(text: str) -> Cpu:
    """`riscv64`, `riscv64:v=false`, `riscv64:vlen=128`, `riscv64:cpu=spacemit-x60`, ... as a CPU. Raises UsageError."""
    name, _, options = text.partition(":")
    if name != LABEL:
        raise UsageError(
            f"no simulator '{text}'", "there are callgrind and riscv64[:v=true|false][,vlen=BITS][,cpu=NAME]"
        )
    fields: dict[str, Any] = {}
    levels: dict[str, str] = {}
    for word in options.split(",") if options else []:
        key, _, value = word.partition("=")
        if key == "v" and value in ("true", "false"):
            fields["v"] = value == "true"
        elif key == "vlen" and value in map(str, VLENS):
            fields["vlen"] = int(value)
        elif key == "cpu" and value:
            fields |= _of_table(text, value)
        elif key in ("l1d", "l2") and value:
            levels[key] = value
        else:
            lengths = ", ".join(map(str, VLENS))
            remedy = f"v=true, v=false, vlen= one of {lengths}, cpu= a CPU, l1d= and l2= as 32k/8/64"
            raise UsageError(f"--simulate {text}: '{word}'", remedy)
    if levels and "caches" in fields:
        raise UsageError(f"--simulate {text}: the caches of a CPU and others", "omit cpu=, or l1d= and l2=")
    if levels:
        fields["caches"] = parse_model(levels)
    if fields.get("v") is False and "vlen" in fields:
        raise UsageError(f"--simulate {text}: a vector length without vectors", "omit v=false or vlen")
    return Cpu(**fields)


def _of_table(text: str, name: str) -> dict[str, Any]:
    """Vectors and caches of a CPU by its table. Raises UsageError where there is none, or it doesn't know them."""
    known = with_caches()
    if name not in known:
        raise UsageError(f"--simulate {text}: no caches of '{name}' are known", f"cpu= one of {', '.join(known)}")
    table = known[name]
    found = table.caches
    levels = {level: found[level] for level in ("l1d", "l2") if level in found}
    vectors = {"vlen": int(found["vlen"])} if "vlen" in found else {"v": False}
    model = dataclasses.replace(parse_model(levels), cpu=name, core=table.name, max_ipc=table.max_ipc)
    return {**vectors, "caches": model}


def qemu() -> str:
    """A qemu-riscv64 that loads plugins. Raises NotInstalled or NotAvailable."""
    asked = os.environ.get(QEMU_VARIABLE, "qemu-riscv64")
    found = shutil.which(asked)
    if found is None:
        raise NotInstalled(asked, REMEDY)
    told = subprocess.run([found, "--help"], capture_output=True, text=True, timeout=30, check=False).stdout
    if "-plugin" not in told:
        raise NotAvailable(f"{found} can't load plugins", REMEDY)
    return found


def check_machine() -> None:
    """Raise what any simulation on this machine lacks: QEMU with plugins, a compiler, the packages' loader.

    Makes nothing.
    """
    interface(qemu())
    compiler.find()
    require("mmdebstrap")


def check(framework: str) -> None:
    """Raise, before anything is measured, what would stop a simulation: framework, packages, QEMU, compiler."""
    if not place(framework).is_dir():
        require("mmdebstrap")
    plugin(interface(qemu()))


def version(program: str) -> str:
    """The first line of `program --version`."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.partition("\n")[0]


def arguments(directory: Path, cpu: Cpu, counters: Path | None, environ: Mapping[str, str] | None = None) -> list[str]:
    """QEMU's command line up to the program: a root file system in `directory`, counting into `counters`.

    `environ` is set for the emulated program alone.
    """
    program = qemu()
    words = [program, "-cpu", cpu.option, "-L", str(directory)]
    if counters is not None:
        if "," in str(counters):
            raise UsageError(f"{counters}: QEMU takes no comma in a path", "set TMPDIR to another folder")
        given = {"out": str(counters), **(cpu.caches.arguments if cpu.caches else {})}
        words += ["-plugin", ",".join([str(plugin(interface(program))), *(f"{k}={v}" for k, v in given.items())])]
    for name, value in (environ or {}).items():
        words += ["-E", f"{name}={value}"]
    return words


@dataclass(frozen=True, slots=True)
class QemuUser(UnswitchedWrapper):
    """Runs the worker on an emulated CPU. `directory` must exist and be this run's own; it reads its own counters."""

    directory: Path
    framework: str
    cpu: Cpu = Cpu()

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line with QEMU in front and Debian's riscv64 Python in the place of this one."""
        tree = root(self.framework)
        counters = self.directory / "counters"
        environ = {
            "LD_LIBRARY_PATH": library_path(tree),
            VARIABLE: str(counters),
            LABEL_VARIABLE: self.cpu.label,
            MODEL_VARIABLE: self.cpu.model,
            # bytecode of the packages, made at first use: compiling it takes the emulated Python half a minute
            "PYTHONPYCACHEPREFIX": str(default_cache() / "riscv64" / "bytecode"),
        }
        return [*arguments(tree, self.cpu, counters, environ), str(tree / "usr/bin/python3"), *command[1:]]


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """What of the launcher's environment is passed on."""
    return {name: base[name] for name in PASSED if name in base}
