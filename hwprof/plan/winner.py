"""The subject of a tuning, and its outcome in the results: one winner per machine and subject, with its evidence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwprof.networks.inputs import UNSAID, InputChoice, side_title
from hwprof.networks.stored_precision import AS_IT_IS, asked
from hwprof.plan.options import option_text
from hwprof.records import to_json

if TYPE_CHECKING:
    from hwprof.plan.cases import PlannedCase

SAMPLES = "inputs"  # the option of a case that says which samples of the user's own go in


@dataclass(frozen=True, slots=True)
class Subject:
    """A case without what is searched. `threads` 0 and `cpus` empty: searched too; `options`: fixed. `shape`: as of a
    case.
    """

    framework: str
    network: str
    recipe: str
    size: int
    batch: int
    precision: str
    threads: int = 0
    cpus: tuple[int, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    shape: str = ""

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON form: `case_key` of the tuning table."""
        return hashlib.sha256(json.dumps(self.form, sort_keys=True).encode()).hexdigest()

    @property
    def form(self) -> dict[str, Any]:
        """The JSON form that hashes are made of: without an empty `shape`, as before there was such a field."""
        form: dict[str, Any] = to_json(self)
        return form if self.shape else {name: value for name, value in form.items() if name != "shape"}

    @property
    def title(self) -> str:
        """Short text for people."""
        options = "".join(f" {k}={v}" for k, v in self.options)
        threads = f" t{self.threads}" if self.threads else ""
        side = side_title(self.size, self.shape)
        return f"{self.framework}{options} {self.network} {side} b{self.batch}{threads} {self.precision}"

    def command(self, network: str, inputs: InputChoice = UNSAID) -> str:
        """The command that tunes it; `network` and `inputs` as the user says them."""
        words = ["hwprof", "tune", "-f", self.framework, "-n", network, "-b", str(self.batch)]
        words += ["-s", str(self.size)] if self.size and not inputs.shapes else []
        words += options_of(inputs)
        words += ["--precision", self.precision] if asked(self.precision) != AS_IT_IS else []
        words += ["-t", str(self.threads)] if self.threads else []
        words += ["--cpus", ",".join(map(str, self.cpus))] if self.cpus else []
        for name, value in self.options:
            if name == SAMPLES and inputs.samples:  # said by --inputs
                continue
            words += ["--option", f"{name}={option_text(value)}"]
        return shlex.join(words)


def options_of(inputs: InputChoice) -> list[str]:
    """What a user says of a network's inputs, as options of a command."""
    words = []
    for name, shape in inputs.shapes:
        sides = ",".join(map(str, shape))
        words += ["--shape", f"{name}={sides}" if name else sides]
    for name, length in inputs.dims:
        words += ["--dim", f"{name}={length}"]
    words += ["--inputs", inputs.samples] if inputs.samples else []
    words += ["--batch-axis", inputs.batch_axis] if inputs.batch_axis else []
    for output, state in inputs.states:
        words += ["--state", f"{output}:{state}"]
    return words


@dataclass(frozen=True, slots=True)
class Winner:
    """Launch parameters that won on this machine. `evidence`: the comparison, failures, software, runs."""

    threads: int
    cpus: tuple[int, ...]
    options: tuple[tuple[str, Any], ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """The JSON form of the launch parameters."""
        return {"threads": self.threads, "cpus": list(self.cpus), "options": dict(self.options)}

    @classmethod
    def read(cls, winner: Mapping[str, Any], evidence: Mapping[str, Any]) -> Winner:
        """From the store."""
        options = tuple(sorted(winner["options"].items()))
        return cls(int(winner["threads"]), tuple(winner["cpus"]), options, dict(evidence))

    def apply(self, planned: PlannedCase) -> PlannedCase:
        """The case with these launch parameters."""
        case = dataclasses.replace(planned.case, threads=self.threads, cpus=self.cpus, options=self.options)
        facts = self.facts() | {"distributions": self.evidence["distributions"]}
        return dataclasses.replace(planned, case=case, tuning=facts)

    def facts(self) -> dict[str, Any]:
        """The facts of a run that uses it."""
        names = ("experiment", "at_utc", "why", "changes", "ratio", "low", "high", "rounds", "default")
        subject = self.evidence["subject"]
        return {
            "winner": self.parameters(),
            "given": [f"{name}={value}" for name, value in subject["options"]],
            "threads_given": bool(subject["threads"]),
            **{n: self.evidence[n] for n in names if n in self.evidence},
        }


def subject_of(planned: PlannedCase, threads: int, cpus: tuple[int, ...]) -> Subject:
    """The subject of a case. `threads` 0, `cpus` empty: they may be searched."""
    names = ("framework", "network", "recipe", "size", "shape", "batch", "precision", "options")
    return Subject(**{name: getattr(planned.case, name) for name in names}, threads=threads, cpus=cpus)
