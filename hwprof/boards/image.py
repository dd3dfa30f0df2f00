"""Builds a Debian 13 guest image and keeps it in the cache: root file system, kernel, initial RAM file system.

Nothing of the guest runs on the host: packages are extracted, never configured, and the disk image is made straight
from the directory, without a loop device. What the maintainers' scripts would have done and the guest needs, `_finish`
does, and bytecode.py.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwprof.boards import bytecode
from hwprof.boards.guest import boot
from hwprof.boards.machines import RELEASE, BoardModel, Hardware, Image, machine_of, require, require_qemu
from hwprof.cache import default_cache
from hwprof.errors import HwprofError, NotAvailable

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"
# Raised whenever the recipe below changes in a way that its texts, which are part of the key, don't show.
RECIPE = 3
ATTEMPTS = 3
FREE_NEEDED = 6 << 30
# Half a minute; with imports, on a host with six times as much to do as cores, it took over fifteen.
WARM_S = 2400

BASE = (
    *("bash", "coreutils", "busybox-static", "libc6", "libc-bin", "python3", "linux-perf"),
    *("python3-numpy", "libopenblas0-pthread", "python3-packaging", "python3-platformdirs"),
)


@dataclass(frozen=True, slots=True)
class PackageSet:
    """What an image holds beside Python and NumPy: Debian packages, and lines of modules that runs import.

    Where the host could not make bytecode, they are imported while the image is made, side by side, each line in a
    process of its own: compiling takes a guest half a minute in every run else.
    """

    packages: tuple[str, ...]
    imports: tuple[str, ...]


# What Debian's kernels need to reach a virtio disk with ext4 and a 9p share, in the order of loading; what a kernel has
# built in is not there as a file.
MODULES = (
    *("virtio_mmio", "crc32c_generic", "libcrc32c", "crc16", "mbcache", "jbd2", "ext4", "virtio_blk"),
    *("netfs", "9pnet", "9pnet_virtio", "9p"),
)
APPLETS = ("sh", "mount", "umount", "insmod", "chroot", "poweroff", "cat", "sleep", "mkdir", "ifconfig", "sync")

INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for m in MODULES; do [ -e /mods/$m.ko ] && insmod /mods/$m.ko; done
mount -t ext4 /dev/vda /mnt || { echo "board: no root file system"; poweroff -f; }
for tag in job control; do mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 $tag /mnt/$tag; done
mount -t proc proc /mnt/proc; mount -t sysfs sysfs /mnt/sys; mount -t devtmpfs dev /mnt/dev
mount -t tmpfs tmp /mnt/tmp; mkdir -p /mnt/dev/shm; mount -t tmpfs shm /mnt/dev/shm
mount -t cgroup2 cgroup /mnt/sys/fs/cgroup; mount -t tracefs tracing /mnt/sys/kernel/tracing
ifconfig lo 127.0.0.1 up
chroot /mnt /usr/bin/bash /control/start >/mnt/control/stdout 2>/mnt/control/stderr </dev/null
echo $? >/mnt/control/exit-code.half; sync; umount /mnt/tmp; mount -o remount,ro /mnt; cat /mnt/control/exit-code.half \
>/mnt/control/exit-code; poweroff -f
"""


def contents_of(sets: Sequence[PackageSet]) -> PackageSet:
    """Everything of the sets together, and what every image holds."""
    packages = {*BASE, *(package for one in sets for package in one.packages)}
    return PackageSet(
        tuple(sorted(packages)), tuple(sorted({"numpy", *(line for one in sets for line in one.imports)}))
    )


def ensure_image(arch: str, sets: Sequence[PackageSet] = (), cache: Path | None = None, suite: str = SUITE) -> Image:
    """The image of an architecture with these package sets; built on first use (a minute and 60 to 400 MB to download).

    Two builders of the same image wait for each other. Raises UnknownBoard, NotInstalled, NotAvailable
    (no mirror) and HwprofError (a program failed: the end of what it said).
    """
    machine = machine_of(arch)
    contents = contents_of(sets)
    names = contents.packages
    recipe = [RECIPE, INIT, MODULES, APPLETS]
    key = {"arch": arch, "suite": suite, "packages": names, "imports": contents.imports, "recipe": recipe}
    text = json.dumps(key, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    home = (cache or default_cache()) / "boards"
    place = home / f"{arch}-{suite}-{digest}"
    image = Image(machine, place, names)
    if place.is_dir():
        return image
    for program in ("mmdebstrap", "mke2fs", "cpio", "tar"):
        require(program)
    require_qemu(machine)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HwprofError(f"cannot write {home}: {error.strerror}", "set HWPROF_CACHE to a folder with room") from error
    with exclusive_lock(home / f".lock-{digest}"):
        if place.is_dir():
            return image
        _check_room(home)
        half = home / f".half-{digest}"  # what a builder left that was killed; nobody else is here
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        try:
            _build(Image(machine, half, names), contents.imports, suite)
            (half / "key.json").write_text(text)
            half.rename(place)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return image


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock at `path`; it goes with the process that holds it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("hwprof: another process is building the same image, waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < FREE_NEEDED:
        raise HwprofError(
            f"{folder} has {free >> 20} MiB left, an image takes up to {FREE_NEEDED >> 20} while it is made",
            "set HWPROF_CACHE to a folder with room",
        )


def mirror() -> str:
    """HWPROF_DEBIAN_MIRROR, else the mirror that apt uses on a Debian host, else Debian's own."""
    if given := os.environ.get("HWPROF_DEBIAN_MIRROR"):
        return given
    apt = shutil.which("apt-get")
    if apt is not None:
        form = ["--format", "$(ORIGIN) $(REPO_URI) $(RELEASE)", "Created-By: Packages"]
        told = subprocess.run([apt, "indextargets", *form], capture_output=True, text=True, check=False).stdout
        for line in told.splitlines():
            match = re.fullmatch(r"Debian (\S+) (\w+)", line)
            if match and "security" not in match[1]:
                return match[1].rstrip("/")
    return MIRROR


def _build(image: Image, imports: Sequence[str], suite: str) -> None:
    """Everything of an image in its folder."""
    print(f"hwprof: building the {image.machine.arch} image ({', '.join(image.packages)})", file=sys.stderr)
    root = image.folder / "root"
    wanted = (*image.packages, f"linux-image-{image.machine.arch}")
    with ThreadPoolExecutor(1) as beside:
        python = beside.submit(_python, image.folder.parent, suite)
        extract(image.machine.arch, wanted, suite, root, image.folder / "mmdebstrap.log")
        compiler = python.result()
    shutil.copyfile(_one(root / "boot", "vmlinu[xz]-*"), image.kernel)
    (image.folder / RELEASE).write_text(_one(root / "usr/lib/modules", "*").name + "\n")
    _initrd(root, image)
    for unneeded in ("boot", "usr/lib/modules", "var/lib/apt", "var/cache/apt", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / unneeded, ignore_errors=True)
    _finish(root, image.machine)
    if compiler is not None:
        bytecode.compile_into(root, compiler)
    _disk(root, image)
    shutil.rmtree(root)
    _warm(image, imports if compiler is None else ())


def _python(home: Path, suite: str) -> bytecode.BytecodeCompiler | None:
    with exclusive_lock(home / ".lock-python"):
        return bytecode.python(home, suite, extract)


def extract(arch: str, packages: Sequence[str], suite: str, root: Path, log: Path) -> None:
    """Download the packages and what they depend on, and unpack them into `root`, replacing it; nothing of them is run.

    Raises NotInstalled, NotAvailable and HwprofError with the end of what mmdebstrap said (all of it is in `log`).
    """
    if not KEYRING.exists():
        raise NotAvailable(f"no {KEYRING} to check Debian's packages by", "apt-get install debian-archive-keyring")
    source = f"deb [signed-by={KEYRING}] {mirror()} {suite} main"
    words = [require("mmdebstrap"), f"--mode={'root' if os.geteuid() == 0 else 'unshare'}", "--variant=extract"]
    words += [f"--architectures={arch}", "--aptopt=APT::Install-Recommends false"]
    words += ["--aptopt=Acquire::Retries 5", "--aptopt=Acquire::Languages none"]
    words += [f"--include={','.join(packages)}"]
    for attempt in range(1, ATTEMPTS + 1):
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        with log.open("w") as file:
            tar = [require("tar"), "-x", "-C", str(root), "--exclude=./dev/*"]
            make = subprocess.Popen([*words, suite, "-", source], stdout=subprocess.PIPE, stderr=file)
            try:
                unpacked = subprocess.run(tar, stdin=make.stdout, stderr=file, check=False).returncode
            finally:
                if make.stdout is not None:
                    make.stdout.close()
                made = make.wait()
        if made == 0 and unpacked == 0:
            return
        if attempt < ATTEMPTS:
            print(f"hwprof: downloading failed (attempt {attempt} of {ATTEMPTS}), trying again", file=sys.stderr)
    raise HwprofError(f"mmdebstrap failed: {_end(log)}", "is the mirror reachable? HWPROF_DEBIAN_MIRROR names another")


def _end(log: Path, lines: int = 3) -> str:
    """The last lines of a log, on one line; apt's own errors where there are any."""
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("E:")]
    return " | ".join((errors or said)[-lines:])


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise HwprofError(f"the image's packages hold {len(found)} files {pattern} in /{folder.name}, not one")
    return found[0]


def _initrd(root: Path, image: Image) -> None:
    """Busybox and the modules that lead to the disk, as an archive that the kernel unpacks into memory."""
    tree = image.folder / "initrd"
    for name in ("bin", "proc", "sys", "dev", "mnt", "mods"):
        (tree / name).mkdir(parents=True)
    shutil.copy(root / "usr/bin/busybox", tree / "bin/busybox")
    for applet in APPLETS:
        (tree / "bin" / applet).symlink_to("busybox")
    there = {path.name: path for path in (root / "usr/lib/modules").rglob("*.ko.xz")}
    for module in MODULES:
        if (packed := there.get(f"{module}.ko.xz")) is not None:
            (tree / "mods" / f"{module}.ko").write_bytes(lzma.decompress(packed.read_bytes()))
    init = tree / "init"
    init.write_text(INIT.replace("MODULES", " ".join(MODULES), 1))
    init.chmod(0o755)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    _call([require("cpio"), "-o", "-H", "newc", "--quiet", "-R", "0:0", "-O", str(image.initrd)], tree, names)
    shutil.rmtree(tree)


def _finish(root: Path, machine: BoardModel) -> None:
    """What the packages' own scripts would have set up."""
    shell = root / "usr/bin/sh"
    shell.unlink(missing_ok=True)
    shell.symlink_to("bash")
    for name in ("job", "control", "pyc", "work", "root", "tmp", "dev", "proc", "sys"):
        (root / name).mkdir(exist_ok=True)
    (root / "pyc").chmod(0o1777)
    etc = root / "etc"
    (etc / "passwd").write_text("root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/bash\n")
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    # BLAS is an alternative of several packages; `ldconfig` in the guest then finds this one.
    (etc / "ld.so.conf.d/board.conf").write_text(f"/usr/lib/{machine.triplet}/openblas-pthread\n")
    (etc / "hosts").write_text("127.0.0.1 localhost board\n")


def _disk(root: Path, image: Image) -> None:
    """An ext4 file system of the directory, with room to work in."""
    size = sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))
    megabytes = (size >> 20) * 12 // 10 + 512
    # Neither checksums nor a journal: the guest's disk is thrown away, and an emulator computes both slowly.
    words = [require("mke2fs"), "-q", "-t", "ext4", "-O", "^metadata_csum,^has_journal", "-d", str(root), "-F"]
    _call([*words, str(image.root), f"{megabytes}M"], image.folder)


def _warm(image: Image, imports: Sequence[str]) -> None:
    """Boot it once with a disk that it may write to: where its libraries lie, and bytecode of `imports`, stay there."""
    lines = ["set -e", "ldconfig", *(f"python3 -P -c 'import {line}' & jobs+=($!)" for line in imports)]
    lines += ['for job in "${jobs[@]}"; do wait "$job"; done']
    job = image.folder / "warm"
    job.mkdir()
    result = boot(image, job, "\n".join(lines), Hardware(smp=2, icount=False), timeout_s=WARM_S, writable=True)
    shutil.rmtree(job)
    if result.exit_code != 0:
        raise HwprofError(f"the new {image.machine.arch} guest does not work: {result.stderr.strip()[-300:]}")


def _call(words: Sequence[str], folder: Path, given: str = "") -> None:
    done = subprocess.run(words, cwd=folder, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise HwprofError(f"{Path(words[0]).name} failed with exit code {done.returncode}: {said}")
