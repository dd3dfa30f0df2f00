"""PMUs as sysfs describes them: number, terms and where their bits go, named events, units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.errors import UsageError
from hwprof.machine.cpus import cpu_list
from hwprof.machine.files import ROOT

DEVICES = "sys/bus/event_source/devices"
FIELDS = ("config", "config1", "config2", "config3")
BITS = 64  # of each field
# Terms that configure sampling or perf's output, not what is counted.
_NOT_FOR_COUNTING = frozenset(
    {"period", "freq", "call-graph", "stack-size", "time", "branch_type", "percore", "aux-output"}
)


@dataclass(frozen=True, slots=True)
class Format:
    """Where a term's bits go: `ranges` of bit numbers of `field`, first the range that takes the lowest bits."""

    field: str
    ranges: tuple[tuple[int, int], ...]

    @property
    def width(self) -> int:
        """Bits the term has."""
        return sum(high - low + 1 for low, high in self.ranges)

    def scatter(self, value: int) -> int:
        """The field's contribution for `value`: its low bits go to the first range, the next ones to the second."""
        if value < 0 or value >> self.width:
            raise UsageError(f"{value:#x} does not fit into the {self.width} bits of this term")
        result = 0
        for low, high in self.ranges:
            size = high - low + 1
            result |= (value & ((1 << size) - 1)) << low
            value >>= size
        return result


def parse_format(text: str) -> Format:
    """A sysfs format such as `config:0-7,32-35` or `config1:0`. Raises UsageError on anything else."""
    match = re.fullmatch(r"(config[123]?):(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)", text.strip())
    if not match:
        raise UsageError(f"unreadable PMU format '{text.strip()}'")
    ranges = []
    for part in match[2].split(","):
        low, _, high = part.partition("-")
        first, last = (min(int(bit), BITS) for bit in (low, high or low))
        if not first <= last < BITS:
            raise UsageError(f"unreadable PMU format '{text.strip()}'")
        ranges.append((first, last))
    return Format(match[1], tuple(ranges))


@dataclass(frozen=True, slots=True)
class Pmu:
    """One PMU of /sys/bus/event_source/devices."""

    name: str
    type: int
    path: Path
    core: bool  # counts what a CPU's own core does
    per_socket: bool  # has a cpumask: counts for a socket or package, not for a task
    formats: Mapping[str, Format] = field(default_factory=dict)
    cpus: tuple[int, ...] = ()  # cores it counts on, where it is one of several kinds
    unreadable: Mapping[str, str] = field(default_factory=dict)  # terms whose format can't be used -> why
    test_equipment: bool = False  # says of itself that its counts are made up for tests

    @property
    def idle(self) -> bool:
        """Whether it has a list of cores and none is on it: all of its kind are off."""
        return not self.cpus and (self.path / "cpus").exists()

    @property
    def events(self) -> tuple[str, ...]:
        """Names in its events directory."""
        names = (path.name for path in _entries(self.path / "events"))
        return tuple(n for n in names if not n.endswith((".scale", ".unit", ".snapshot", ".per-pkg")))

    def event_terms(self, name: str) -> str | None:
        """The terms a named event stands for, or None where it has no such event."""
        if "/" in name or name.startswith("."):
            return None
        return _text(self.path / "events" / name)

    def event_scale(self, name: str) -> tuple[float, str]:
        """Scale and unit beside a named event; (1.0, "") where sysfs gives none."""
        scale, unit = _text(self.path / "events" / f"{name}.scale"), _text(self.path / "events" / f"{name}.unit")
        try:
            return float(scale) if scale else 1.0, unit or ""
        except ValueError:
            return 1.0, unit or ""

    def encode(self, terms: str, inside: bool = False) -> tuple[dict[str, int], str | None, float, str]:
        """(config fields, display name or None, scale, unit) of `event=0x3c,umask=0` or a named event.

        A bare term means 1. `inside`: of a named event's file, which names terms only. Raises UsageError for a term
        the PMU does not have, or that can't be read.
        """
        fields = dict.fromkeys(FIELDS, 0)
        display, scale, unit = None, 1.0, ""
        for term in filter(None, (t.strip() for t in terms.split(","))):
            key, equals, text = term.partition("=")
            key = key.strip()
            named = None if equals or inside else self.event_terms(key)
            if named is not None:
                inner, _, _, _ = self.encode(named, inside=True)
                fields = {f: fields[f] | inner[f] for f in FIELDS}
                scale, unit = self.event_scale(key)
                continue
            if key == "name" and equals:
                display = text.strip()
                continue
            if key in _NOT_FOR_COUNTING:
                raise UsageError(f"'{key}' in {self.name}/{terms}/ is for sampling", "hwprof counts; leave it out")
            value = _number(text, term) if equals else 1
            if key in self.formats:
                where = self.formats[key]
                fields[where.field] |= where.scatter(value)
            elif key in FIELDS and equals:
                fields[key] |= Format(key, ((0, BITS - 1),)).scatter(value)
            elif key in self.unreadable:
                raise UsageError(f"the term '{key}' of the PMU {self.name} can't be used: {self.unreadable[key]}")
            elif not equals and not inside and key in self.events:
                raise UsageError(f"the event '{key}' of the PMU {self.name} can't be read from {self.path / 'events'}")
            else:
                known = ", ".join(sorted({*self.formats, *self.events})) or "none"
                raise UsageError(f"the PMU {self.name} has no term or event '{key}'", f"It has: {known}")
        return fields, display, scale, unit


def _number(text: str, term: str) -> int:
    try:
        digits = text.strip()
        return int(digits, 8 if re.fullmatch("0[0-7]+", digits) else 0)  # as C reads it: 01, 010
    except ValueError:
        raise UsageError(f"'{term}' is no number", "write it as 0x3c or 60") from None


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def pmu_type(path: Path) -> int | None:
    """attr.type of the PMU in this directory; None where its file can't be read, or holds no such number."""
    text = _text(path / "type") or ""
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) and int(text) < 1 << 32 else None


def unreadable_pmus(root: Path = ROOT) -> dict[str, str]:
    """PMUs that `read_pmus` leaves out -> why."""
    devices = _entries(root / DEVICES)
    return {path.name: f"{path / 'type'} holds no PMU's number" for path in devices if pmu_type(path) is None}


def read_pmus(root: Path = ROOT) -> dict[str, Pmu]:
    """All PMUs below `root` whose number can be read, by name; empty where sysfs has none."""
    found: dict[str, Pmu] = {}
    for path in _entries(root / DEVICES):
        number = pmu_type(path)
        if number is None:
            continue
        formats, unreadable = {}, {}
        for file in _entries(path / "format"):
            text = _text(file)
            if text is None:
                unreadable[file.name] = f"{file} can't be read"
            elif re.match(r"config[123]?:", text):
                try:
                    formats[file.name] = parse_format(text)
                except UsageError as error:
                    unreadable[file.name] = error.message
        # x86 and RISC-V call the core's PMU `cpu`; where there are several kinds, each has a list of its `cpus`.
        core = path.name == "cpu" or (path / "cpus").exists() or bool(re.match(r"(cpu_(core|atom)|armv\d)", path.name))
        per_socket, cpus = (path / "cpumask").exists(), cpu_list(_text(path / "cpus"))
        made_up = (path / "test_equipment").exists()
        found[path.name] = Pmu(path.name, number, path, core, per_socket, formats, cpus, unreadable, made_up)
    return found
