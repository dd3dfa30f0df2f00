"""What a user says of a network's inputs: on the command line and in an experiment's [inputs.NETWORK]."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import BadExperiment, UsageError
from hwprof.networks.inputs import InputChoice
from hwprof.plan.options import check_keys

if TYPE_CHECKING:
    from hwprof.plan.experiment import Choice

KEYS = ("shape", "dim", "samples", "batch_axis", "state")
LONGEST = 1 << 31  # of a dimension


def parse_inputs(
    shapes: Sequence[str] = (),
    dims: Sequence[str] = (),
    samples: str = "",
    batch_axis: str = "",
    states: Sequence[str] = (),
) -> InputChoice:
    """The choice of `--shape ids=1,128`, `--dim seq=128`, `--inputs`, `--batch-axis`, `--state OUT:IN`. UsageError."""
    return InputChoice(
        tuple(parse_shape(text) for text in shapes),
        tuple((name, length(number, f"--dim {text}")) for text in dims for name, number in [pair(text, "=", "--dim")]),
        samples,
        batch_axis,
        tuple(pair(text, ":", "--state") for text in states),
    )


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """`ids=1,128` -> ("ids", (1, 128)); without a name that of the only input; `sr=` is a scalar."""
    name, equals, sides = text.rpartition("=")
    if not sides and not equals:
        raise UsageError("--shape is empty", "as in --shape 1,3,48,320 or --shape ids=1,128")
    return name, tuple(length(side, f"--shape {text}") for side in sides.split(",")) if sides else ()


def length(text: str, where: str) -> int:
    """A length of a dimension. Raises UsageError."""
    if not text.strip().isdecimal() or int(text) >= LONGEST:
        raise UsageError(f"{where}: '{text}' is no length", "whole numbers, as in --shape 1,3,48,320 or --dim seq=128")
    return int(text)


def pair(text: str, between: str, option: str) -> tuple[str, str]:
    """Two names. Raises UsageError."""
    first, found, second = text.rpartition(between) if between == "=" else text.partition(between)
    if not found or not first or not second:
        example = "--dim seq=128" if between == "=" else "--state hn:h0"
        raise UsageError(f"{option} {text} is no pair", f"as in {example}")
    return first, second


def tables(data: Any, origin: str, base: Path | None) -> Mapping[str, InputChoice]:
    """[inputs.NETWORK] of an experiment, by network. Raises BadExperiment."""
    if not isinstance(data, dict) or not all(isinstance(table, dict) for table in data.values()):
        raise BadExperiment(f"{origin}: [inputs] has a table for each network", "as in [inputs.bert] dim = {seq = 128}")
    return {name: of_table(table, f"{origin}: [inputs.{name}]", base) for name, table in data.items()}


def of_table(table: Mapping[str, Any], where: str, base: Path | None) -> InputChoice:
    """One table. Raises BadExperiment."""
    check_keys(table, KEYS, where)
    shape, dim, state = table.get("shape", {}), table.get("dim", {}), table.get("state", {})
    shapes = {"": shape} if isinstance(shape, list) else shape
    if not all(isinstance(value, dict) for value in (shapes, dim, state)):
        raise BadExperiment(f"{where} dim and state are tables", "as in dim = {seq = 128} or shape = {ids = [1, 128]}")
    for name, sides in shapes.items():
        if not isinstance(sides, list) or not all(is_length(side) for side in sides):
            raise BadExperiment(
                f"{where} shape of {name or 'the input'} is no list of lengths", "as in [1, 3, 48, 320]"
            )
    if wrong := [name for name, value in dim.items() if not is_length(value)]:
        raise BadExperiment(f"{where} dim.{wrong[0]} is no length", "a whole number, as in dim = {seq = 128}")
    if wrong := [name for name, value in state.items() if not isinstance(value, str)]:
        raise BadExperiment(f"{where} state.{wrong[0]} is no name", "as in state = {hn = 'h0'}: output = 'input'")
    samples, axis = table.get("samples", ""), table.get("batch_axis", "")
    if not isinstance(samples, str) or not isinstance(axis, str | int) or isinstance(axis, bool):
        raise BadExperiment(f"{where} samples is a path, batch_axis a number or 'none'")
    if samples and base is not None:
        samples = str((base / samples).resolve())
    return InputChoice(
        tuple((name, tuple(sides)) for name, sides in shapes.items()),
        tuple(dim.items()),
        samples,
        str(axis),
        tuple(state.items()),
    )


def is_length(value: Any) -> bool:
    """Whether a TOML value is a length of a dimension."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LONGEST


def with_inputs(choices: Iterable[Choice], said: Mapping[str, InputChoice], origin: str) -> tuple[Choice, ...]:
    """The choices with what [inputs] says of their networks, by name or file. BadExperiment for a network not there."""
    found, used = [], set()
    for choice in choices:
        path = Path(choice.network)
        name = next((name for name in (choice.network, path.stem, path.name) if name in said), None)
        used.add(name)
        found.append(choice if name is None else dataclasses.replace(choice, inputs=said[name]))
    if stray := [name for name in said if name not in used]:
        what = f"{origin}: [inputs.{stray[0]}] is of no network in [matrix]"
        raise BadExperiment(what, "its name there, or its file's without .onnx")
    return tuple(found)
