"""Builds the modules of test equipment for the kernel of an image, and the program that makes known accesses.

On the host, by cross compilers: nothing of the guest runs for it. A module loads into exactly the kernel whose headers
it was built with, so that it is kept in the folder of the image.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hwprof.boards import bytecode
from hwprof.boards.image import ATTEMPTS, KEYRING, SUITE, exclusive_lock, extract, mirror
from hwprof.boards.machines import Image, require
from hwprof.errors import HwprofError

HERE = Path(__file__).parent
MODULES = ("testpmu", "testheat")
SOURCES = (*(f"{name}.c" for name in MODULES), "Kbuild")
PROGRAM = HERE / "accesses.c"
# Debian's name of an architecture -> the kernel's
KERNELS = {"riscv64": "riscv", "arm64": "arm64"}
# What the kernel was configured for and an older compiler or a host without pahole lacks; a module does without it.
WITHOUT = ("CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=", "CONFIG_DEBUG_INFO_BTF_MODULES=")
ELF = b"\x7fELF"


def put_modules(image: Image, folder: Path) -> None:
    """The modules for the image's kernel: built on first use (18 MB to download, a quarter of a minute)."""
    texts = b"".join((HERE / name).read_bytes() for name in SOURCES)
    version = hashlib.sha256(texts).hexdigest()[:16]
    made = {name: image.folder / f"{name}-{version}.ko" for name in MODULES}
    with exclusive_lock(image.folder / ".lock-modules"):
        if not all(file.exists() for file in made.values()):
            with tempfile.TemporaryDirectory(prefix="hwprof-module-") as temporary:
                source = _build(image, Path(temporary))
                for name, file in made.items():
                    half = file.with_suffix(".half")
                    shutil.copyfile(source / f"{name}.ko", half)
                    half.rename(file)
    for name, file in made.items():
        shutil.copyfile(file, folder / f"{name}.ko")


def program(image: Image, folder: Path) -> Path:
    """`accesses` for the image's architecture, in `folder`."""
    built = folder / PROGRAM.stem
    _run([image.machine.compiler, "-O2", "-Wall", "-static", "-pthread", str(PROGRAM), "-o", str(built)])
    return built


def _build(image: Image, folder: Path) -> Path:
    """The folder in which all modules have been built."""
    tree = folder / "tree"
    _headers(image, folder, tree)
    headers = tree / f"usr/src/linux-headers-{image.release}"
    _wrap_tools(image, headers)
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        shutil.copy(HERE / name, source)
    compiler = image.machine.compiler
    words = [
        require("make"),
        "-C",
        str(headers),
        f"M={source}",
        f"ARCH={KERNELS[image.machine.arch]}",
        f"CC={compiler}",
    ]
    _run([*words, f"CROSS_COMPILE={compiler.removesuffix('gcc')}", *WITHOUT, "KCFLAGS=-Werror", "modules"])
    return source


def _headers(image: Image, folder: Path, tree: Path) -> None:
    """Unpack the headers of the image's kernel, and the programs that building takes, into `tree`.

    apt looks at no more than the mirror that images come from, in folders of its own: the host's packages are left
    alone, and other architectures need not be known to it.
    """
    arch, host = image.machine.arch, _host()
    version = image.release.removesuffix(f"-{arch}")
    names = (
        f"linux-headers-{image.release}:{arch}",
        f"linux-headers-{version}-common",
        f"linux-kbuild-{version}:{host}",
    )
    apt = folder / "apt"
    for name in ("lists/partial", "cache/archives/partial", "debs"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING} arch={host},{arch}] {mirror()} {SUITE} main\n")
    settings = {
        "APT::Architecture": host,
        "APT::Architectures": f"{host},{arch}",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "5",
        "Dir::Cache": str(apt / "cache"),
        "Dir::Etc::Parts": "-",
        "Dir::Etc::PreferencesParts": "-",
        "Dir::Etc::SourceList": str(apt / "sources.list"),
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": str(apt / "lists"),
        "Dir::State::Status": str(apt / "status"),
    }
    words = [require("apt-get"), "-q", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    _run([*words, "update"], attempts=ATTEMPTS)
    _run([*words, "download", *names], apt / "debs", ATTEMPTS)
    for package in sorted((apt / "debs").glob("*.deb")):
        _run([require("dpkg-deb"), "-x", str(package), str(tree)])
    # Debian's files name each other by where they would be installed.
    for file in (tree / "usr/src").glob("linux-headers-*/*"):
        if file.name in ("Makefile", ".kernelvariables") and not file.is_symlink():
            file.write_text(file.read_text().replace("/usr/src/", f"{tree}/usr/src/"))


def _host() -> str:
    known = bytecode.HOSTS.get(platform.machine())
    if known is None:
        raise HwprofError(f"Debian has no kernel-building programs that are known to run on {platform.machine()}")
    return known[0]


def _wrap_tools(image: Image, headers: Path) -> None:
    """Have the programs for building run with the libraries of their own suite, which may be newer than the host's."""
    home = image.folder.parent
    with exclusive_lock(home / ".lock-python"):
        python = bytecode.python(home, SUITE, extract)
    assert python is not None
    loader = " ".join(f"'{word}'" for word in python.words[:-1])
    for tool in (headers / "scripts").resolve().rglob("*"):
        if not tool.is_file() or tool.is_symlink() or not os.access(tool, os.X_OK):
            continue
        with tool.open("rb") as file:
            if file.read(len(ELF)) != ELF:
                continue
        real = tool.with_name(f"{tool.name}.elf")
        tool.rename(real)
        tool.write_text(f"#!/bin/sh\nexec {loader} '{real}' \"$@\"\n")
        tool.chmod(0o755)
    # Debian's own only looks for the one of the target's word size and order, beside the program that it is run as.
    modpost = headers / "scripts/mod/modpost"
    modpost.unlink()
    modpost.symlink_to("modpost.real-lsb-64")


def _run(words: Sequence[str], folder: Path | None = None, attempts: int = 1) -> None:
    for attempt in range(1, attempts + 1):
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = " | ".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        print(f"{Path(words[0]).name} failed (attempt {attempt} of {attempts}): {said}")
    raise HwprofError(f"{Path(words[0]).name} failed with exit code {done.returncode}: {said}")
