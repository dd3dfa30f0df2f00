"""Networks of tests/input_kinds.py through a framework's adapter, in its own interpreter: outputs, or why not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import hwprof
from hwprof import plugins
from hwprof.environments import interpreters
from hwprof.plan.cases import converter_of
from hwprof.records import Case, Fidelity, to_json
from tests import input_kinds

CHILD = Path(__file__).with_name("adapter_child.py")


@dataclass(frozen=True)
class Outcome:
    """Of one network at one batch size: outputs as the framework gave them, or `error`, a class, and its `message`.

    `error` "crash": the process died.
    """

    outputs: Sequence[Any] = ()
    right: Sequence[Any] = ()
    error: str = ""
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[str] = ()

    @property
    def agreement(self) -> Fidelity:
        """With ONNX Runtime's."""
        return input_kinds.agreement(self.outputs, self.right)

    @property
    def verdict(self) -> str:
        """`right`, `wrong: ...`, or the error with its message."""
        if self.error:
            return f"{self.error}: {self.message}"
        found = self.agreement
        return "right" if found.faithful else f"wrong: {found.max_rel} {[part.why for part in found.parts]}"


def run(
    framework: str, kinds: Sequence[tuple[str, int]], folder: Path, profile: bool = False
) -> dict[tuple[str, int], Outcome]:
    """Each (kind, batch) prepared, loaded, bound and inferred twice; two processes in all where none of them dies."""
    adapter, path = plugins.adapter(framework), plugins.paths("hwprof.frameworks")[framework]
    python = interpreters.require(framework, adapter.environment).python
    tasks: list[dict[str, Any]] = []
    for kind, batch in kinds:
        place = folder / f"{kind}-{batch}"
        place.mkdir()
        arrays = input_kinds.feeds(kind, batch)
        plain = [array.astype(str) if array.dtype.kind == "O" else array for array in arrays]
        np.savez(place / "feeds.npz", **{str(i): array for i, array in enumerate(plain)})
        case = Case(framework, kind, "", 0, batch=batch)
        source, spec = input_kinds.write(kind, place), input_kinds.spec_of(kind, batch)
        files = {"feeds": str(place / "feeds.npz"), "outputs": str(place / "outputs.npz"), "folder": str(place)}
        common = {"adapter": path, "case": to_json(case), "spec": to_json(spec), "source": str(source)}
        tasks.append({**common, **files, "step": "prepare", "profile": profile})
    environ = adapter.environ(Case(framework, "", "", 0))
    prepared = list(perform(converter_of(adapter, python), tasks, environ))
    ready = [i for i, answer in enumerate(prepared) if "error" not in answer]
    loads = [{**tasks[i], "step": "infer", "artifact": prepared[i]["artifact"]} for i in ready]
    answers = dict(zip(ready, perform(python, loads, environ), strict=True))
    found = {}
    for i, ((kind, batch), task) in enumerate(zip(kinds, tasks, strict=True)):
        answer = answers.get(i, prepared[i])
        if "error" in answer:
            found[kind, batch] = Outcome(error=answer["error"], message=answer["message"])
            continue
        with np.load(task["outputs"]) as data:
            outputs = [data[str(number)] for number in range(len(data.files))]
        right = input_kinds.expected(Path(task["source"]), input_kinds.feeds(kind, batch))
        found[kind, batch] = Outcome(outputs, right, facts=answer["facts"], steps=answer["steps"])
    return found


def perform(python: str, tasks: Sequence[dict[str, Any]], environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """An answer for each task; one whose process dies is answered for, and the next ones go on in another."""
    left = list(tasks)
    while left:
        done = subprocess.run(
            [python, "-P", str(CHILD), str(Path(hwprof.__file__).parent)],
            input=json.dumps(left),
            capture_output=True,
            text=True,
            check=False,
            env={**interpreters.clean_environ(python, os.environ), **environ},
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) < len(left):
            answers.append({"error": "crash", "message": f"exit code {done.returncode}: {done.stderr[-300:]}"})
        yield from answers
        left = left[len(answers) :]
