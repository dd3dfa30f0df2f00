"""The same limits for experiment files, the command line and Python: what can't be is refused, by name, at once."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

import hwprof
from hwprof.cli import main
from hwprof.errors import UsageError
from hwprof.machine import cpus
from hwprof.machine.cpus import cpu_list, parse_cpus
from hwprof.plan.experiment import SECTIONS, parse

WRONG = ("-5", "nan", "inf", "-inf", "1000000000000", '"many"', "true")
# key of a file, option of `hwprof run`, argument of hwprof.run
NUMBERS = [
    ("rounds", "--rounds", "rounds"),
    ("seed", "--seed", "seed"),
    ("matrix.size", "--size", "size"),
    ("matrix.batch", "--batch", "batch"),
    ("matrix.threads", "--threads", "threads"),
    ("matrix.most_blocks", "", ""),
    ("measure.window_s", "--window", "window_s"),
    ("measure.iterations", "--iterations", "iterations"),
    ("measure.warmup_iterations", "--warm-up", ""),
    ("measure.timeout_s", "--timeout", "timeout_s"),
    ("measure.cooldown_s", "--cooldown", "cooldown_s"),
    ("measure.alone_s", "", ""),
    ("measure.min_iterations", "", ""),
    ("measure.warmup_max_s", "", ""),
    ("simulate.budget_s", "", ""),
    ("gauges.hz", "", ""),
    ("gauges.idle_baseline_s", "", ""),
    ("quantise.count", "--calibration-count", ""),
]


def file_with(key: str, value: str) -> str:
    section, _, name = key.rpartition(".")
    sections = {"": "", "matrix": 'frameworks = ["onnxruntime"]\nnetworks = ["tiny_cnn"]\n'}
    sections[section] = sections.get(section, "") + f"{name} = {value}\n"
    return "".join(f"[{s}]\n{text}" if s else text for s, text in sections.items())


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(("key", "option", "argument"), NUMBERS)
def test_no_door_admits_an_impossible_number(
    key: str, option: str, argument: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(file_with(key, value))
    said = refused(["sweep", str(path), "--dry-run"], capsys)
    assert f"{path}: {key}" in said
    if option:
        said = refused(["run", "--no-save", f"{option}={value}"], capsys)
        assert re.match(rf"hwprof: {option} must be a (whole )?number (from|above) \d", said)
    if argument:
        plain = {"true": True, "-5": -5, "1000000000000": 10**12}
        given = plain.get(value, value.strip('"') if value.startswith('"') else float(value) if "n" in value else value)
        with pytest.raises(UsageError, match=f"(?i)^{argument} must be a"):
            hwprof.run(**{argument: given})  # type: ignore[arg-type]


def test_every_number_of_a_file_has_a_range() -> None:
    numbers = {
        f"{section}.{key}".lstrip(".")
        for section, keys in SECTIONS.items()
        for key, (kind, _) in keys.items()
        if kind in (int, float, [int], [float])
    }
    assert numbers - {"format"} == {key for key, _, _ in NUMBERS}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tune", "--window", "nan"], "--window"),
        (["tune", "--scaling", "-r", "0"], "--rounds"),
        (["layers", "--iterations", "-5"], "--iterations"),
        (["accuracy", "images", "-b", "0"], "--batch"),
        (["roofline", "--measure", "--seconds", "inf"], "--seconds"),
        (["events", "--validate", "--repetitions", "0"], "--repetitions"),
        (["list", "networks", "--seed", "-1"], "--seed"),
        (["list", "frameworks", "--timeout", "0"], "--timeout"),
        (["record", "--window", "1e9"], "--window"),
        (["run", "--duration", "nan", "--pid", "1"], "--duration"),
        (["run", "--frames", "-1", "--", "true"], "--frames"),
    ],
)
def test_other_commands_have_them_too(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(words, capsys).startswith(f"hwprof: {says} must be a")


def test_a_number_of_hundreds_of_digits_is_refused_like_any_other() -> None:
    for key in ("measure.window_s", "rounds"):
        with pytest.raises(UsageError, match=f"{key} must be"):
            parse(file_with(key, "9" * 400), "x.toml")


def test_what_is_usual_is_admitted() -> None:
    for key, value in (("measure.iterations", "0"), ("measure.timeout_s", "3000"), ("matrix.size", "[0, 224]")):
        parse(file_with(key, value), "x.toml")


@pytest.mark.parametrize("text", ["0-99999999999", "99999999999", "0-" + "9" * 5000, "8192"])
def test_a_list_of_cpus_is_not_expanded_beyond_what_linux_knows(text: str) -> None:
    tracemalloc.start()
    with pytest.raises(UsageError, match="numbers below 8192"):
        parse_cpus(text)
    assert all(cpu < cpus.MOST_CPUS for cpu in cpu_list(text))
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()
