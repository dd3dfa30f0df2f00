"""A bundle: an experiment with all that its cases need on disk, prepared on one machine to be measured on another.

A folder, or a .tar or .tar.gz of it, with
  bundle.json      what it holds: target, cases with their files, cases that could not be prepared and why
  experiment.toml  the experiment as it was
  cache/           entries of the cache, under the names that they have there
  *.whl            hwprof itself, pure Python
  SHA256SUMS       of every other file, as `sha256sum -c` reads them
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from hwprof import plugins
from hwprof.cache import default_cache, new_entry
from hwprof.environments import interpreters
from hwprof.errors import UsageError
from hwprof.frameworks.precision import QUANTISED
from hwprof.plan import experiment as experiments
from hwprof.plan import policy
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.runners import FRAMEWORK as DECLARED
from hwprof.records import Failure, to_json
from hwprof.runner.workshop import Artifacts, PreparationFailed, Workshop

FORMAT = 1  # of bundle.json
MANIFEST, EXPERIMENT, SUMS = "bundle.json", "experiment.toml", "SHA256SUMS"
ARCHIVES = (".tar", ".tar.gz", ".tgz")
ARCHITECTURES = ("riscv64", "arm64", "x86_64")
AGAIN = "prepare it again, or copy it again"


class BadBundle(UsageError):
    """A bundle that is damaged, incomplete, or made for another machine."""


@dataclass(frozen=True, slots=True)
class BundleTarget:
    """The machine that a bundle is for: its architecture, and its CPU where that was asked for."""

    arch: str
    cpu: str = ""

    @classmethod
    def parse(cls, text: str) -> BundleTarget:
        """riscv64, arm64 or x86_64, with :cpu=NAME or without. Raises UsageError."""
        arch, colon, rest = text.partition(":")
        name, equals, cpu = rest.partition("=")
        if arch not in ARCHITECTURES:
            raise UsageError(f"no target '{arch}'", f"there are {', '.join(ARCHITECTURES)}")
        if colon and (name != "cpu" or not equals or not cpu):
            raise UsageError(f"unknown target '{text}'", f"as {arch} or {arch}:cpu=NAME")
        known = [table.name[:-5] for table in (resources.files("hwprof.configs") / "cpus").iterdir()]
        if cpu and cpu not in known:
            raise UsageError(f"no CPU '{cpu}' is known", f"as in {arch}:cpu=NAME; there are {', '.join(sorted(known))}")
        return cls(arch, cpu)

    def __str__(self) -> str:
        return f"{self.arch}:cpu={self.cpu}" if self.cpu else self.arch


def this_architecture() -> str:
    """The architecture of this machine, as targets are named."""
    machine = platform.machine()
    return {"aarch64": "arm64", "amd64": "x86_64"}.get(machine.lower(), machine)


def is_bundle(name: str) -> bool:
    """Whether the argument of a sweep names a bundle, not an experiment."""
    return name.endswith(ARCHIVES) or Path(name).is_dir()


def choice_key(choice: Choice) -> str:
    """What identifies a choice before names are looked up. Threads and CPUs change no file."""
    plain = dataclasses.asdict(dataclasses.replace(choice, threads=1, cpus=""))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:20]


def case_key(planned: PlannedCase) -> str:
    """What identifies a case's files on any machine: no version of what made them, no threads, no CPUs."""
    case = dataclasses.replace(planned.case, threads=1, cpus=())
    text = json.dumps([to_json(case), planned.source_key], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def refusal(choice: Choice) -> str:
    """Why a case can't be in a bundle; "": it can."""
    if choice.framework == DECLARED:
        return "a bundle holds no program of a declared runner"
    if choice.inputs.samples or Path(choice.network).suffix in (".onnx", ".pt2"):
        return "a bundle holds built-in networks only, and no samples of the user"
    if not getattr(plugins.adapter(choice.framework), "portable", False):
        return f"the artifact of {choice.framework} depends on the machine that prepares it, or is not known not to"
    if choice.precision in QUANTISED:
        return "a quantised artifact may depend on the machine that prepares it"
    return ""


@dataclass(slots=True)
class BundleWriter:
    """Prepares the cases of an experiment and puts them below `folder`, which exists and is empty."""

    folder: Path
    target: BundleTarget
    workshop: Workshop
    cases: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)

    def write(self, spec: Experiment) -> Iterator[tuple[str, str]]:
        """Yield (case, "" or why it is not in the bundle) for each, then complete the bundle."""
        chosen = {choice_key(choice): choice for choice in spec.choices}
        for key, choice in chosen.items():
            title = f"{choice.framework} {choice.network} batch {choice.batch} {choice.precision}"
            reason = refusal(choice)
            if not reason:
                # the cores of the machine that prepares are not those that will run it
                here = dataclasses.replace(choice, threads=1, cpus="")
                try:
                    self._add(key, plan(dataclasses.replace(spec, choices=(here,), cpus=""))[0])
                except PreparationFailed as error:
                    reason = error.failure.message
            if reason:
                self.failures.append({"choice": key, "case": title, "reason": reason})
            yield title, reason
        self._finish(spec)

    def _add(self, key: str, planned: PlannedCase) -> None:
        found = self.workshop.get(planned)
        paths = {
            name: None if path is None else self._keep(path)
            for name, path in (
                ("source", found.source),
                ("artifact", found.artifact),
                ("reference", found.reference),
                ("frames", found.frames),
            )
        }
        steps = [dict(step) for step in found.steps]
        case = {"choice": key, "case": case_key(planned), "framework": planned.adapter.name}
        self.cases.append({**case, **paths, "steps": steps, "no_reference": found.no_reference})

    def _keep(self, path: Path) -> str:
        """Copy the cache's entry of a file; its place in the bundle."""
        inside = path.relative_to(self.workshop.cache)
        entry = Path(*inside.parts[:2])
        if not (self.folder / "cache" / entry).exists():
            shutil.copytree(self.workshop.cache / entry, self.folder / "cache" / entry, ignore=_links)
        return str(PurePosixPath("cache", inside))

    def _finish(self, spec: Experiment) -> None:
        from hwprof.runner.wheel import write_wheel

        (self.folder / EXPERIMENT).write_text(spec.text)
        write_wheel(self.folder)
        target = {"arch": self.target.arch, "cpu": self.target.cpu}
        manifest = {"format": FORMAT, "target": target, "cases": self.cases, "failures": self.failures}
        (self.folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
        lines = [f"{digest(path)}  {path.relative_to(self.folder)}\n" for path in files_below(self.folder)]
        (self.folder / SUMS).write_text("".join(lines))


def _links(folder: str, names: list[str]) -> list[str]:
    """Links in a folder of the cache: a converter's way to its source, which is in the bundle by itself."""
    return [name for name in names if Path(folder, name).is_symlink()]


def files_below(folder: Path) -> list[Path]:
    """Every file of a folder and its subfolders, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_bundle(place: Path) -> Iterator[Path]:
    """A folder to be filled, which becomes the folder or archive `place`. Raises UsageError where that exists."""
    if place.exists():
        raise UsageError(f"{place} is there already", "name another file or folder with -o")
    if not place.parent.is_dir():
        raise UsageError(f"{place.parent} is no folder", "name a file or folder in one that exists with -o")
    if not os.access(place.parent, os.W_OK):
        raise UsageError(f"{place.parent} can't be written to", "name a file or folder elsewhere with -o")
    is_archive = place.name.endswith(ARCHIVES)
    folder = place.with_name(place.name + ".folder") if is_archive else place
    with new_entry(folder) as half:
        yield half
        if is_archive:
            written = half.with_name(half.name + ".tar")
            try:
                with tarfile.open(written, "w" if place.suffix == ".tar" else "w:gz") as archive:
                    for path in files_below(half):
                        archive.add(path, str(path.relative_to(half)))
                written.rename(place)
            finally:
                written.unlink(missing_ok=True)
    if is_archive:
        shutil.rmtree(folder)


def unpack(archive: Path) -> Path:
    """The folder of an archive's content in the cache, unpacked once. Raises BadBundle."""
    place = default_cache() / "bundles" / digest(archive)[:20]
    if place.is_dir():
        return place
    with new_entry(place) as half:
        try:
            with tarfile.open(archive) as file:
                for member in file:
                    _extract(file, member, half, archive)
        except (tarfile.TarError, EOFError, OSError) as error:
            # tarfile lists what each kind of compression said, in lines
            why = "it is no tar archive, or cut off" if isinstance(error, tarfile.ReadError) else str(error)
            raise BadBundle(f"{archive} can't be unpacked: {why}", AGAIN) from error
    return place


def _extract(file: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    inside = PurePosixPath(member.name)
    if inside.is_absolute() or ".." in inside.parts or not (member.isfile() or member.isdir()):
        raise BadBundle(f"{archive} is no bundle: it holds '{member.name}'", "only files inside of it may be there")
    content = file.extractfile(member)
    if content is None:
        return
    path = folder / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("wb") as out:
        shutil.copyfileobj(content, out)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was verified, on the machine that runs it."""

    folder: Path
    cases: tuple[Mapping[str, Any], ...]
    failures: tuple[Mapping[str, str], ...]

    @classmethod
    def open(cls, name: str) -> Bundle:
        """Unpack and verify. Raises BadBundle for what is missing, damaged, or made for another architecture."""
        given = Path(name)
        if not given.exists():
            raise BadBundle(f"{name} is not there", "name a bundle that `hwprof prepare` wrote")
        folder = given.resolve() if given.is_dir() else unpack(given)
        try:
            verify(folder, name)
        except BadBundle:
            if not given.is_dir():  # so that the archive is unpacked anew
                shutil.rmtree(folder, ignore_errors=True)
            raise
        try:
            found = json.loads((folder / MANIFEST).read_text())
            kind, arch = found["format"], found["target"]["arch"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadBundle(f"{name} is no bundle: {MANIFEST} can't be read", AGAIN) from error
        if kind != FORMAT:
            raise BadBundle(f"{name} has format {kind}, this hwprof reads {FORMAT}", "install the wheel in the bundle")
        if arch != this_architecture():
            remedy = f"`hwprof prepare EXPERIMENT --for {this_architecture()}` prepares one for it"
            raise BadBundle(f"{name} is for {arch}, this machine is {this_architecture()}", remedy)
        return cls(folder, tuple(found["cases"]), tuple(found["failures"]))

    def missing_runtimes(self) -> dict[str, str]:
        """Framework -> where it comes from, of those that can't be imported here."""
        found = {}
        for name in dict.fromkeys(str(case["framework"]) for case in self.cases):
            adapter = plugins.adapter(name)
            if interpreters.find(name, adapter.environment).error is not None:
                debian = " ".join(getattr(adapter, "debian", ()))
                package = f"the Debian package {debian}, or " if debian else ""
                found[name] = f"{package}`{adapter.environment.install}` where there is a wheel for this machine"
        return found

    def experiment(self, without: Iterable[str]) -> Experiment:
        """The experiment with the cases that are in the bundle and whose framework is not among `without`."""
        spec = experiments.load(str(self.folder / EXPERIMENT))
        absent = set(without)
        keys = {case["choice"] for case in self.cases if case["framework"] not in absent}
        left = tuple(choice for choice in spec.choices if choice_key(choice) in keys)
        return dataclasses.replace(spec, choices=left)

    def artifacts(self, planned: PlannedCase) -> Artifacts:
        """The files of a case. Raises PreparationFailed where they are not in the bundle."""
        key = case_key(planned)
        case = next((case for case in self.cases if case["case"] == key), None)
        if case is None:
            message = f"{planned.case.title} is not in the bundle"
            raise PreparationFailed(Failure("bundle", message, "run the wheel of hwprof in the bundle", "prepare"))
        path = {n: self.folder / case[n] if case[n] else None for n in ("source", "artifact", "reference", "frames")}
        source, artifact = path["source"], path["artifact"]
        assert source is not None  # the writer has both of every case
        assert artifact is not None
        steps: Sequence[Mapping[str, Any]] = case["steps"]
        return Artifacts(source, artifact, path["reference"], tuple(steps), case["no_reference"], path["frames"])


@dataclass(slots=True)
class BundleWorkshop(Workshop):
    """Takes from a bundle what a workshop would prepare. It starts no conversion."""

    bundle: Bundle | None = None

    def get(self, planned: PlannedCase) -> Artifacts:
        """Everything for one case. Raises PreparationFailed."""
        assert self.bundle is not None
        return self.bundle.artifacts(planned)


def verify(folder: Path, name: str) -> None:
    """Compare every file with its checksum. Raises BadBundle for the first that is missing or damaged."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except (OSError, ValueError) as error:
        raise BadBundle(f"{name} is no bundle: it has no {SUMS}", "name one that `hwprof prepare` wrote") from error
    named = set()
    for line in lines:
        wanted, _, inside = line.partition("  ")
        path = folder / inside
        if PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts:
            raise BadBundle(f"{name} is no bundle: its {SUMS} names '{inside}'", AGAIN)
        if not path.is_file():
            raise BadBundle(f"{name} is incomplete: {inside or 'a file'} is missing", AGAIN)
        if digest(path) != wanted:
            raise BadBundle(f"{name} is damaged: {inside} is not what was prepared", AGAIN)
        named.add(inside)
    if not {MANIFEST, EXPERIMENT} <= named:
        raise BadBundle(f"{name} is incomplete: {SUMS} lacks lines", AGAIN)


def tuned(spec: Experiment) -> bool:
    """Whether the experiment's launch parameters come from a tuning, which belongs to one machine."""
    return spec.policy == policy.TUNED
