"""Adapters at work in a framework's own interpreter: one task after the other, a line of JSON for each on stdout.

    python -P adapter_child.py PACKAGE < tasks.json

PACKAGE: the folder of hwprof. A task has a step ("prepare" or "infer"), and what tests/adapter_runs.py writes. Nothing
but hwprof and NumPy is needed here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def expose(package: Path) -> None:
    """`hwprof`, and nothing that lies beside it."""
    spec = importlib.util.spec_from_file_location(
        "hwprof", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["hwprof"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def perform(task: dict[str, Any]) -> dict[str, Any]:
    """One task; `artifact`, or `facts` with the outputs in a file."""
    import numpy as np

    from hwprof import plugins
    from hwprof.frameworks.protocol import PrepareJob
    from hwprof.networks.inputs import InputSpec
    from hwprof.records import Case, from_json, to_json

    adapter: Any = plugins.load(task["adapter"])
    case, spec, folder = from_json(Case, task["case"]), from_json(InputSpec, task["spec"]), Path(task["folder"])
    if task["step"] == "prepare":
        return {"artifact": str(adapter.prepare(PrepareJob(Path(task["source"]), case, spec, folder)))}
    with np.load(task["feeds"]) as data:
        arrays = [data[str(i)] for i in range(len(data.files))]
    arrays = [array.astype(object) if array.dtype.kind == "U" else array for array in arrays]
    enter = adapter.profile if task.get("profile") else adapter.load
    with enter(Path(task["artifact"]), case, spec) as model:
        bound = model.bind(*arrays)
        model.infer(bound)
        model.begin() if task.get("profile") else None
        outputs = [np.asarray(array) for array in model.outputs(model.infer(bound))]
        steps = [step.name for step in model.steps()] if task.get("profile") else []
        facts = to_json(dict(model.facts()))
    plain = [array.astype(str) if array.dtype.kind == "O" else array for array in outputs]
    np.savez(task["outputs"], **{str(i): array for i, array in enumerate(plain)})  # type: ignore[arg-type]
    return {"facts": facts, "steps": steps}


def main() -> None:
    """All tasks of stdin."""
    expose(Path(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w")  # frameworks print what they like
    os.dup2(2, 1)
    for task in json.load(sys.stdin):
        try:
            found = perform(task)
        except Exception as error:  # noqa: BLE001  whatever a framework raises
            found = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(found), file=answers, flush=True)
    os._exit(0)  # some frameworks' exit handlers crash


if __name__ == "__main__":
    main()
