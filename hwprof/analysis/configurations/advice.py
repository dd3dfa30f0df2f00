"""What would measure what a need asks for: reasons and commands. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd

from hwprof.analysis import energy
from hwprof.analysis.answer.commands import DEFAULT_SIZE
from hwprof.analysis.answer.model import NextCommand
from hwprof.analysis.configurations.model import Configuration

ACCURACY = ("top1", "top5")
SENSORS = ("power", "energy")
MOST = 3  # networks that get a command of their own
ROUNDS = 10


def absence_reason(quantity: str, frame: pd.DataFrame) -> str:
    """Why some configurations lack a quantity, in words."""
    if quantity in ACCURACY:
        return "a results file holds speed; accuracy is read from files of hwprof accuracy --json (--accuracy FILE)"
    if quantity in SENSORS:
        return energy.absence_reason(frame)
    return "imported runs and older versions did not record it"


def commands(gaps: Mapping[str, Sequence[Configuration]], near: Configuration | None) -> tuple[NextCommand, ...]:
    """What to run: for each quantity that configurations lack, and to narrow the interval of `near`."""
    accuracy = [one for name in ACCURACY for one in gaps.get(name, ())]
    networks = list(dict.fromkeys(one.net for one in accuracy))[:MOST]
    found = [_accuracy([one for one in accuracy if one.net == network]) for network in networks]
    if any(name in gaps for name in SENSORS):
        found.append(NextCommand("hwprof doctor", "which power sensors this machine has"))
        one = next(one for name in SENSORS for one in gaps.get(name, ()))
        found.append(NextCommand(f"{_run(one)} --meter LOG.csv", "power and energy of an external meter"))
    others = [several[0] for name, several in gaps.items() if name not in (*ACCURACY, *SENSORS)]
    found += [NextCommand(_run(one), "measures the rest") for one in others[:1]]
    if near is not None:
        found.append(NextCommand(f"{_run(near)} --rounds {ROUNDS}", "more rounds, a narrower interval"))
    return tuple(found)


def _accuracy(several: Sequence[Configuration]) -> NextCommand:
    """Accuracy of one network in the frameworks and precisions that lack it."""
    frameworks = ",".join(sorted({one.framework for one in several}))
    precisions = ",".join(sorted({one.precision for one in several}))
    words = ["hwprof", "accuracy", "--images", "DIR", "-n", several[0].net, "--pretrained", "-f", frameworks]
    words += ["--precision", precisions, "--json"]
    name = shlex.quote(f"accuracy-{several[0].net.replace('/', '-')}.json")
    return NextCommand(f"{shlex.join(words)} > {name}", f"then repeat the report with --accuracy {name}")


def _run(one: Configuration) -> str:
    words = ["hwprof", "run", "-f", one.framework, "-n", one.net, "-b", str(one.batch)]
    words += ["-t", str(one.threads)] if one.threads > 0 else []
    size = 0 if one.speed["shape"] else int(one.speed["size"])
    words += ["-s", str(size)] if size not in (0, DEFAULT_SIZE) else []
    words += ["--precision", one.precision] if one.precision != "fp32" else []
    for option in one.options.split():
        name, sign, _ = option.partition("=")
        words += ["--option", option] if sign and name.isidentifier() and name != "call" else []
    return shlex.join(words)
