"""Users' own torch modules, saved by torch.export.save as .pt2, as networks.

The program is exported to ONNX once, in a process of its own, and kept in the cache: the graph is what MACs are counted
on, what the reference is computed from, and what every framework but torch's own converts. PyTorch and ExecuTorch get
the program itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from hwprof.cache import default_cache, new_entry
from hwprof.environments import interpreters
from hwprof.errors import BadModel, NotInstalled
from hwprof.networks.network import Network
from hwprof.networks.users import users_network

SUFFIX = ".pt2"
# Raised whenever the meaning of a cached export changes.
FORMAT = 1
TIMEOUT_S = 900
NEEDS = ("torch", "onnxscript", "onnx")
SCRIPT = Path(__file__).with_name("export_script.py")


def exported_network(path: Path) -> Network:
    """The network of a .pt2. Raises BadModel, or NotInstalled where no interpreter has torch."""
    if not path.is_file():
        raise BadModel(path, "no such file", "check the path")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:24]
    graph = export(path, digest)
    try:
        network = users_network(graph)
    except BadModel as error:
        raise BadModel(path, "its export " + error.message.removeprefix(f"{graph}: "), error.remedy) from error
    made = json.loads(graph.with_name("export.json").read_text())
    recipe = f"sha256:{digest} by torch {made['torch']}, onnxscript {made['onnxscript']}"
    return dataclasses.replace(network, name=path.stem, recipe=recipe, module=path.resolve())


def interpreter() -> str:
    """One that has torch and onnxscript, or at least torch: hwprof's own, or an environment's. Raises NotInstalled."""
    own = [sys.executable] if importlib.util.find_spec("torch") is not None else []
    found = {p: interpreters.software(p, NEEDS)["distributions"] for p in (*own, *interpreters.environment_pythons())}
    able = [python for python, there in found.items() if python in own or there["torch"]]
    if not able:
        raise NotInstalled("torch, which reads .pt2,", "`hwprof env create pytorch`, or export the network as .onnx")
    return next((python for python in able if found[python]["onnxscript"]), able[0])


def export(path: Path, digest: str) -> Path:
    """The .onnx of a .pt2 in the cache, made where it isn't there. Raises BadModel, NotInstalled."""
    python = interpreter()
    text = " ".join((digest, str(FORMAT), python, *versions(python)))
    key = hashlib.sha256(text.encode()).hexdigest()[:20]
    place = default_cache() / "exported" / f"{path.stem}-{key}"
    if place.is_dir():
        return place / "network.onnx"
    with new_entry(place) as half:
        command = [python, "-P", str(SCRIPT), str(path.resolve()), str(half / "network.onnx")]
        environ = interpreters.clean_environ(python, os.environ)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environ)
        except subprocess.TimeoutExpired as error:
            raise BadModel(path, f"its export to ONNX took longer than {TIMEOUT_S} s") from error
        told = answer(done)
        if told.get("error"):
            raise BadModel(path, told["error"], told.get("remedy", REMEDY))
        (half / "export.json").write_text(json.dumps(told))
    return place / "network.onnx"


REMEDY = "torch.export.save(torch.export.export(module.eval(), (example,)), FILE), or give hwprof an .onnx"


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The script's last line; `error` where there is none."""
    try:
        told: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        return {"error": f"its export to ONNX died ({how}{': ' + said[-1][:160] if said else ''})"}
    return told


def versions(python: str) -> list[str]:
    """Of what the export depends on, in the interpreter that makes it."""
    found = interpreters.software(python, NEEDS)["distributions"]
    return [f"{name}=={version}" for name, version in sorted(found.items())]
