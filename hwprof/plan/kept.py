"""What a tuning is of, and how its outcome is kept: one winner per machine and subject, with its evidence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwprof.records import Case, to_json

if TYPE_CHECKING:
    from hwprof.plan.cases import PlannedCase


@dataclass(frozen=True, slots=True)
class Subject:
    """A case without what is searched. `threads` 0 and `cpus` empty: searched too; `options`: given, not searched."""

    framework: str
    network: str
    recipe: str
    size: int
    batch: int
    precision: str
    threads: int = 0
    cpus: tuple[int, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON form: `case_key` of the tuning table."""
        return hashlib.sha256(json.dumps(to_json(self), sort_keys=True).encode()).hexdigest()

    @property
    def title(self) -> str:
        """Short text for people."""
        given = "".join(f" {k}={v}" for k, v in self.options)
        threads = f" t{self.threads}" if self.threads else ""
        return f"{self.framework}{given} {self.network} {self.size}px b{self.batch}{threads} {self.precision}"

    def command(self, network: str) -> str:
        """The command that tunes it; `network` as the user calls it."""
        words = ["hwprof", "tune", "-f", self.framework, "-n", network, "-b", str(self.batch)]
        words += ["-s", str(self.size)] if self.size else []
        words += ["--precision", self.precision] if self.precision != "fp32" else []
        words += ["-t", str(self.threads)] if self.threads else []
        words += ["--cpus", ",".join(map(str, self.cpus))] if self.cpus else []
        for name, value in self.options:
            words += ["--option", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Kept:
    """A winner of this machine. `evidence` has what it rests on: comparison, failures, software, runs."""

    threads: int
    cpus: tuple[int, ...]
    options: tuple[tuple[str, Any], ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def winner(self) -> dict[str, Any]:
        """The JSON form of what won."""
        return {"threads": self.threads, "cpus": list(self.cpus), "options": dict(self.options)}

    @classmethod
    def read(cls, winner: Mapping[str, Any], evidence: Mapping[str, Any]) -> Kept:
        """From the store."""
        options = tuple(sorted(winner["options"].items()))
        return cls(int(winner["threads"]), tuple(winner["cpus"]), options, dict(evidence))

    def applied(self, case: Case) -> Case:
        """The case with these launch parameters."""
        return dataclasses.replace(case, threads=self.threads, cpus=self.cpus, options=self.options)

    def facts(self) -> dict[str, Any]:
        """What a run that uses it says of it."""
        names = ("experiment", "at_utc", "why", "changes", "ratio", "low", "high", "rounds", "default")
        subject = self.evidence["subject"]
        given = {
            "given": [f"{name}={value}" for name, value in subject["options"]],
            "threads_given": bool(subject["threads"]),
        }
        return {"winner": self.winner(), **given, **{n: self.evidence[n] for n in names if n in self.evidence}}


def subject_of(planned: PlannedCase, threads: int, cpus: tuple[int, ...]) -> Subject:
    """The subject of a case. `threads` 0, `cpus` empty: they may be searched."""
    case = planned.case
    return Subject(
        case.framework,
        case.network,
        case.recipe,
        case.size,
        case.batch,
        case.precision,
        threads,
        cpus,
        case.options,
    )
