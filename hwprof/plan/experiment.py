"""Experiment files: TOML to cases and a schedule. An unknown key is an error, never ignored."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import itertools
import json
import math
import random
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from hwprof.collectors.cooldown import LIMIT_S
from hwprof.collectors.simulators import simulator
from hwprof.errors import BadExperiment, UsageError
from hwprof.frameworks.calibration import COUNT, Calibration
from hwprof.frameworks.precision import QUANTISED
from hwprof.networks.inputs import UNSAID, InputChoice
from hwprof.plan import bounds, inputs
from hwprof.plan.options import check_keys
from hwprof.plan.places import places
from hwprof.worker.protocol import LoopSettings

FORMAT = 1
# How bounds.RANGES calls a key, and the keys whose 0 says that nothing is asked for.
NAMES = {"warmup_max_s": "warmup_s"}
ZERO_IS_UNSET = frozenset({"iterations", "warmup_iterations"})
LATER_FIELDS = (("policy", "default"), ("cooldown_s", LIMIT_S), ("one_set", False), ("power_sensor", ""))
PLANNED = ("window_s", "alone_s", "iterations", "min_iterations", "warmup_s", "warmup_iterations")
# key -> (type, default); a list's elements are checked against the type in the list
SECTIONS: Mapping[str, Mapping[str, tuple[Any, Any]]] = {
    "": {
        "format": (int, FORMAT),
        "name": (str, ""),
        "seed": (int, 0),
        "rounds": (int, 3),
    },
    "matrix": {
        "frameworks": ([str, dict], None),
        "networks": ([str], None),
        "blocks": (bool, False),  # of these networks their layers, each as a network of its own
        "most_blocks": (int, 0),  # of each network at most so many; 0: all
        "size": ([int], [0]),
        "batch": ([int], [1]),
        "threads": ([int], [1]),
        "cpus": (str, ""),
        "precision": ([str], ["fp32"]),
        "exclude": ([dict], []),
    },
    "measure": {
        "window_s": (float, 1.0),
        "alone_s": (float, 1.0),
        "iterations": (int, 0),
        "min_iterations": (int, 30),
        "warmup_max_s": (float, 5.0),
        "warmup_iterations": (int, 0),
        "timeout_s": (float, 120.0),
        "cooldown_s": (float, LIMIT_S),
        "per_iteration": (bool, False),  # counters read after every inference too
    },
    "counters": {"events": ([str], ["auto"]), "require": ([str], []), "multiplex": (bool, False)},
    "simulate": {
        "when": (str, "never"),
        "tool": (str, "callgrind"),
        "networks": ([str], []),
        "budget_s": (float, 240.0),
    },
    "quantise": {"images": (str, ""), "count": (int, COUNT)},
    "gauges": {"hz": (float, 10.0), "idle_baseline_s": (float, 5.0), "meter": (str, ""), "power_sensor": (str, "")},
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One point of the matrix, before names are looked up. `size` 0: the network's own; `threads` 0: as tuned;
    `cpus` "": the experiment's.
    """

    framework: str
    network: str
    size: int = 0
    batch: int = 1
    threads: int = 1
    precision: str = "fp32"
    options: tuple[tuple[str, Any], ...] = ()
    cpus: str = ""
    inputs: InputChoice = UNSAID


@dataclass(frozen=True, slots=True)
class Simulation:
    """When to add a simulated run: never | no-pmu | always; of which networks (empty: all), in what time, by what."""

    when: str = "never"
    networks: tuple[str, ...] = ()
    budget_s: float = 240.0
    tool: str = "callgrind"  # or riscv64, riscv64:v=false, ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """A checked experiment. `choices` in the order of the file; `text` is the file as it was."""

    name: str
    choices: tuple[Choice, ...]
    seed: int = 0
    rounds: int = 3
    cpus: str = ""
    plan: LoopSettings = field(default_factory=LoopSettings)
    timeout_s: float = 120.0
    cooldown_s: float = LIMIT_S  # at most, before each run; 0: none
    require: tuple[str, ...] = ()
    simulation: Simulation = field(default_factory=Simulation)
    gauge_hz: float = 10.0
    idle_baseline_s: float = 5.0
    meter: str = ""
    power_sensor: str = ""  # label, or several with commas: what stands for the machine's power
    calibration: Calibration = field(default_factory=Calibration)
    text: str = ""
    policy: str = "default"  # or tuned: every case takes this machine's winner of `hwprof tune`
    one_set: bool = False  # all cases are measured side by side, of different threads or networks too

    @property
    def plan_hash(self) -> str:
        """Identifies what is to be measured and how: the same plan is resumed, another one starts anew."""
        plain = dataclasses.asdict(dataclasses.replace(self, text=""))
        for choice in plain["choices"]:
            if not choice["cpus"]:  # plans from before there was such a field keep their hash
                del choice["cpus"]
            if choice["inputs"] == dataclasses.asdict(UNSAID):
                del choice["inputs"]
        for name, default in LATER_FIELDS:  # so that experiments from before there were such fields are the same
            if plain[name] == default:
                del plain[name]
        for name in ("turn_warm_s", *([] if self.plan.per_iteration else ["per_iteration"])):
            del plain["plan"][name]  # what is found out while it is measured, and a later field
        if not any(choice.precision in QUANTISED for choice in self.choices):
            del plain["calibration"]  # which then changes nothing
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

    def order(self, number: int) -> list[int]:
        """The seeded order of a round, as indices into choices: every case once.

        So a drift of the machine spreads over all cases and does not become a difference between frameworks.
        """
        order = list(range(len(self.choices)))
        random.Random(f"{self.seed}/{number}").shuffle(order)
        return order


def built_in_names() -> tuple[str, ...]:
    """Names of the experiments that come with hwprof."""
    folder = resources.files("hwprof.configs") / "experiments"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load(name_or_path: str) -> Experiment:
    """A built-in experiment by name, or a file. Raises BadExperiment with what is wrong and what would be right."""
    if "/" not in name_or_path and not name_or_path.endswith(".toml"):
        if name_or_path not in built_in_names():
            near = difflib.get_close_matches(name_or_path, built_in_names(), n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise BadExperiment(
                f"no experiment '{name_or_path}'",
                f"{hint}Built in: {', '.join(built_in_names())}; or the path of a .toml",
            )
        text = (resources.files("hwprof.configs") / "experiments" / f"{name_or_path}.toml").read_text()
        return parse(text, name_or_path)
    path = Path(name_or_path)
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise BadExperiment(f"no experiment file {path}", f"built in: {', '.join(built_in_names())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadExperiment(f"{path}: {error}", "an experiment is a text file in TOML") from error
    return parse(text, str(path), base=path.parent)


def parse(text: str, origin: str, base: Path | None = None) -> Experiment:
    """Check and expand the text of an experiment; `origin` is named in errors, `base`: where relative paths start."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadExperiment(f"{origin}: not valid TOML: {error}") from error
    values = {section: _section(data, section, origin) for section in SECTIONS}
    top, matrix, measure, counters = (values[s] for s in ("", "matrix", "measure", "counters"))
    if top["format"] != FORMAT:
        raise BadExperiment(f"{origin}: format {top['format']} is unknown", f"this hwprof reads format {FORMAT}")
    policy, launch = _launch(data.get("launch", {}), origin)
    said = inputs.tables(data.get("inputs", {}), origin, base)
    choices = inputs.with_inputs(_choices(matrix, launch, origin, base), said, origin)
    if policy == "tuned" and "threads" not in data.get("matrix", {}):
        choices = tuple(dataclasses.replace(choice, threads=0) for choice in choices)
    if not choices:
        raise BadExperiment(f"{origin}: the matrix holds no case", "check [matrix] and its exclude list")
    simulate, gauges = values["simulate"], values["gauges"]
    if simulate["when"] not in ("never", "no-pmu", "always"):
        raise BadExperiment(f"{origin}: simulate.when = '{simulate['when']}'", "never, no-pmu or always")
    try:
        simulator(simulate["tool"])
    except UsageError as error:
        raise BadExperiment(f"{origin}: simulate.tool = '{simulate['tool']}': {error.message}", error.remedy) from error
    return Experiment(
        name=top["name"] or Path(origin).stem,
        choices=choices,
        seed=top["seed"],
        rounds=top["rounds"],
        cpus=matrix["cpus"],
        plan=LoopSettings(
            window_s=measure["window_s"],
            alone_s=measure["alone_s"],
            iterations=measure["iterations"] or None,
            min_iterations=measure["min_iterations"],
            warmup_s=measure["warmup_max_s"],
            warmup_iterations=measure["warmup_iterations"] or None,
            per_iteration=measure["per_iteration"],
            events=tuple(counters["events"]),
            multiplex=counters["multiplex"],
        ),
        timeout_s=measure["timeout_s"],
        cooldown_s=measure["cooldown_s"],
        require=tuple(counters["require"]),
        simulation=Simulation(simulate["when"], tuple(simulate["networks"]), simulate["budget_s"], simulate["tool"]),
        gauge_hz=gauges["hz"],
        idle_baseline_s=gauges["idle_baseline_s"],
        meter=gauges["meter"],
        power_sensor=gauges["power_sensor"],
        calibration=_calibration(values["quantise"], origin, base),
        text=text,
        policy=policy,
    )


def _calibration(quantise: Mapping[str, Any], origin: str, base: Path | None) -> Calibration:
    folder = quantise["images"]
    if folder and base is not None:
        folder = str((base / folder).resolve())
    try:
        return Calibration(folder, quantise["count"]).validate()
    except UsageError as error:
        raise BadExperiment(f"{origin}: [quantise] {error.message}", error.remedy) from error


def _section(data: Mapping[str, Any], section: str, origin: str) -> dict[str, Any]:
    known = SECTIONS[section]
    table = data if not section else data.get(section, {})
    if not isinstance(table, dict):
        raise BadExperiment(f"{origin}: [{section}] must be a table")
    nested = [name for name in SECTIONS if name] + ["launch", "inputs"] if not section else []
    check_keys(table, sorted([*known, *nested]), origin, section)
    values = {}
    for key, (kind, default) in known.items():
        if key not in table and default is None:
            raise BadExperiment(f"{origin}: [{section}] needs '{key}'")
        where = f"{origin}: {section + '.' if section else ''}{key}"
        values[key] = _check_type(table.get(key, default), kind, where)
        if (what := NAMES.get(key, key)) in bounds.RANGES:
            for value in values[key] if isinstance(values[key], list) else [values[key]]:
                if value or key not in ZERO_IS_UNSET:
                    bounds.check(what, value, where, BadExperiment)
    return values


def _check_type(value: Any, kind: Any, where: str) -> Any:
    if isinstance(kind, list):
        entries = value if isinstance(value, list) else [value]
        allowed = tuple(kind)
        for entry in entries:
            if not isinstance(entry, allowed) or isinstance(entry, bool):
                raise BadExperiment(f"{where}: {entry!r} is not of the type {' or '.join(t.__name__ for t in allowed)}")
        return entries
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # hundreds of digits
            return math.inf
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadExperiment(f"{where}: {value!r} is not of the type {kind.__name__}")
    return value


def _launch(data: Mapping[str, Any], origin: str) -> tuple[str, dict[str, dict[str, Any]]]:
    policy = data.get("policy", "default")
    if policy not in ("default", "tuned"):
        remedy = "'default', or 'tuned' (what hwprof tune has kept)"
        raise BadExperiment(f"{origin}: launch.policy = '{policy}'", remedy)
    options = {key: value for key, value in data.items() if key != "policy"}
    for name, value in options.items():
        if not isinstance(value, dict):
            raise BadExperiment(f"{origin}: launch.{name} must be a table of options, as in {name} = {{spin = false}}")
    return str(policy), options


def _choices(
    matrix: Mapping[str, Any], launch: Mapping[str, Mapping[str, Any]], origin: str, base: Path | None
) -> Iterator[Choice]:
    variants = [variant for entry in matrix["frameworks"] for variant in _variants(entry, launch, origin)]
    names = {framework for framework, _ in variants}
    if stray := [name for name in launch if name not in names]:
        raise BadExperiment(f"{origin}: [launch] names '{stray[0]}', which [matrix] does not measure")
    seen = set()
    axes = (places(matrix, origin, base), matrix["batch"], matrix["threads"], matrix["precision"])
    for (framework, options), (network, size), batch, threads, precision in itertools.product(variants, *axes):
        choice = Choice(framework, network, size, batch, threads, precision, options)
        if choice in seen or any(_matches(choice, rule, origin) for rule in matrix["exclude"]):
            continue
        seen.add(choice)
        yield choice


def _variants(
    entry: str | Mapping[str, Any], launch: Mapping[str, Mapping[str, Any]], origin: str
) -> Iterator[tuple[str, tuple[tuple[str, Any], ...]]]:
    keys = {"name": entry} if isinstance(entry, str) else dict(entry)
    name = keys.pop("name", None)
    if not isinstance(name, str):
        raise BadExperiment(f"{origin}: a framework needs a name, as in {{name = 'pytorch', mode = 'eager'}}")
    options = {**launch.get(name, {}), **keys}
    lists = [value if isinstance(value, list) else [value] for value in options.values()]
    for values in itertools.product(*lists):
        yield name, tuple(sorted(zip(options, values, strict=True)))


def _matches(choice: Choice, rule: Mapping[str, Any], origin: str) -> bool:
    plain, options = {"framework", "network", "size", "batch", "threads", "precision"}, dict(choice.options)
    for key, wanted in rule.items():
        if key not in plain and key not in options and key != "mode":
            raise BadExperiment(f"{origin}: exclude knows no '{key}'", f"known: {', '.join(sorted(plain))}")
        value = getattr(choice, key) if key in plain else options.get(key)
        if value != wanted and not (isinstance(wanted, list) and value in wanted):
            return False
    return True


def single(choice: Choice, plan: LoopSettings, **fields: Any) -> Experiment:
    """The experiment of `hwprof run`: one case, a new one each time. Raises UsageError for numbers out of range."""
    numbers = {name: getattr(choice, name) for name in ("batch", "threads", "size")}
    numbers |= {name: getattr(plan, name) for name in PLANNED if getattr(plan, name) is not None}
    for name, value in {**numbers, **fields}.items():
        if name in bounds.RANGES:
            bounds.check(name, value, name)
    # the name is part of what identifies an experiment and its text is not: the same words again are measured again
    return Experiment(name=f"run {secrets.token_hex(4)}", choices=(choice,), plan=plan, **fields)
