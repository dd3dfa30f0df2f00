"""What a survey keeps beside runs, ceilings and verdicts: its steps, doctor's findings, and what could not be had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select

from hwprof.errors import ResultsError
from hwprof.store import Results, schema

FORMAT = 1
KEY = "survey"  # in the table `meta`, which is not merged: a home file takes the runs of many surveys
DONE, PART, MISSING, FAILED = "done", "part", "missing", "failed"


@dataclass(slots=True)
class StepRecord:
    """A step. `status`: done | part (begun, interrupted) | missing (not possible here) | failed (it broke)."""

    status: str
    why: str = ""
    remedy: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class SurveyRecord:
    """The document of a survey.

    `machine`: hardware facts, whose hash is `machine_id`; `findings`: of doctor; `events`: of the validation, by name;
    `absent`: ceilings that could not be measured; `frameworks`: installed ones with their versions.
    """

    machine_id: str
    machine: dict[str, Any] = field(default_factory=dict)
    host_state: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, StepRecord] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: list[dict[str, str]] = field(default_factory=list)
    frameworks: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        found = {name: getattr(self, name) for name in self.__slots__}
        steps = {n: {k: getattr(s, k) for k in s.__slots__} for n, s in self.steps.items()}
        return {"format": FORMAT, **found, "steps": steps}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> SurveyRecord:
        """From the JSON form. Raises ResultsError for one of a newer hwprof."""
        if document.get("format") != FORMAT:
            raise ResultsError("the survey was written by a newer hwprof", "pip install --upgrade hwprof")
        known = {name: document[name] for name in cls.__slots__ if name in document and name != "steps"}
        return cls(**known, steps={n: StepRecord(**s) for n, s in document.get("steps", {}).items()})

    def keep(self, results: Results) -> None:
        """Write it to a results file."""
        text, meta = json.dumps(self.document(), sort_keys=True), schema.meta

        def write(connection: Any) -> None:
            connection.execute(delete(meta).where(meta.c.key == KEY))
            connection.execute(insert(meta), {"key": KEY, "value": text})

        results.database.write(write)


def read_record(results: Results) -> SurveyRecord | None:
    """The record in a results file; None where it is of no survey. Raises ResultsError."""
    with results.database.read() as connection:
        text = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == KEY))
    return None if text is None else SurveyRecord.of(json.loads(text))
