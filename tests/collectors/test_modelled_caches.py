"""The caches that callgrind is told to model."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.modelled_caches import DEFAULTS, KIB, Cache, describe, facts, fit, geometry, options

MIB = KIB * KIB


def machine(root: Path, caches: list[tuple[str, str, str, str, str]], cpu: int = 0) -> Path:
    """A sysfs with these caches: level, type, size, ways, line."""
    cpus = root / "sys/devices/system/cpu"
    (cpus / f"cpu{cpu}").mkdir(parents=True)
    (cpus / "online").write_text(f"{cpu}-{cpu + 3}\n")
    for number, values in enumerate(caches):
        index = cpus / f"cpu{cpu}/cache/index{number}"
        index.mkdir(parents=True)
        names = ("level", "type", "size", "ways_of_associativity", "coherency_line_size")
        for name, value in zip(names, values, strict=True):
            (index / name).write_text(value + "\n")
    return root


def test_the_machines_own_caches_are_modelled_and_the_outermost_is_the_last_level(tmp_path: Path) -> None:
    rows = [("1", "Data", "48K", "12", "64"), ("1", "Instruction", "32K", "8", "64")]
    rows += [("2", "Unified", "2048K", "16", "64"), ("3", "Unified", "32M", "16", "64")]
    found = geometry(machine(tmp_path, rows, cpu=2))
    assert options(found) == ["--I1=32768,8,64", "--D1=49152,12,64", "--LL=33554432,16,64"]
    assert {c.origin for c in found.values()} == {"sysfs"}
    assert describe(facts(found)).startswith("I1 32 KiB 8-way, D1 48 KiB 12-way, LL 32 MiB")


def test_a_machine_that_describes_no_caches_gets_defaults_that_say_so(tmp_path: Path) -> None:
    assert geometry(tmp_path) == DEFAULTS
    part = geometry(machine(tmp_path / "part", [("1", "Data", "64K", "4", "64"), ("2", "Unified", "512K", "", "64")]))
    assert (part["D1"].origin, part["LL"], part["I1"]) == ("sysfs", DEFAULTS["LL"], DEFAULTS["I1"])
    assert "LL 8 MiB 16-way (a default: sysfs has none)" in describe(facts(part))


@pytest.mark.parametrize(
    ("size", "ways", "line", "wanted"),
    [
        # 245,760 sets of a virtual machine: the next power of two below, as many more ways
        (300 * MIB, 20, 64, Cache(131072 * 38 * 64, 38, 64, "sysfs rounded")),
        (12 * MIB, 16, 64, Cache(12 * MIB, 24, 64, "sysfs rounded")),
        (32 * KIB, 0, 64, Cache(32 * KIB, 512, 64, "sysfs")),  # fully associative
        (48 * KIB, 3, 64, Cache(48 * KIB, 3, 64, "sysfs")),
    ],
)
def test_sets_become_a_power_of_two_and_the_size_stays(size: int, ways: int, line: int, wanted: Cache) -> None:
    found = fit(size, ways, line)
    assert found == wanted
    sets = found.size // (found.ways * found.line)
    assert found.size == sets * found.ways * found.line
    assert sets & (sets - 1) == 0


@pytest.mark.parametrize(
    ("size", "ways", "line"), [(0, 8, 64), (32 * KIB, 8, 48), (32 * KIB, 8, 8), (4096 * MIB, 8, 64)]
)
def test_what_callgrind_would_refuse_is_no_cache(size: int, ways: int, line: int) -> None:
    assert fit(size, ways, line) is None


def test_a_run_of_an_earlier_edition_has_no_caches_to_describe() -> None:
    assert describe({}) == ""
