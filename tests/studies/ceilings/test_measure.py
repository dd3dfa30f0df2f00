"""Ceilings from what the program says: medians per CPU time, working sets from the caches, what is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from hwprof.errors import HwprofError, NotInstalled
from hwprof.records import Ceiling
from hwprof.studies.ceilings import kernels
from hwprof.studies.ceilings.kernels import KernelBuild, KernelProgram
from hwprof.studies.ceilings.measure import ask, by_numpy, calibrate, levels

CACHES = [
    {"level": 1, "type": "Data", "kib": 32, "shared_by": 1, "count": 4},
    {"level": 1, "type": "Instruction", "kib": 32, "shared_by": 1, "count": 4},
    {"level": 2, "type": "Unified", "kib": 512, "shared_by": 1, "count": 4},
    {"level": 3, "type": "Unified", "kib": 8192, "shared_by": 4, "count": 1},
]
FACTS = {"architecture": "x86_64", "extensions": ["avx2", "fma"], "caches": CACHES}


def build(variant: KernelBuild, folder: Path) -> KernelProgram:
    return KernelProgram(
        variant, folder / variant.name, "a compiler", {k: True for k in variant.kinds if variant.vector}
    )


def fake(program: Path, words: Sequence[str]) -> list[Mapping[str, float]]:
    """Invented: the wider the vector the faster; half of the CPU; one repetition is disturbed."""
    base = {"scalar": 1e9, "sse2": 4e9, "avx2": 8e9}[program.name]
    rate = {"fp": base, "int8": base / 2, "triad": 1e10, "chase": 2e-9}[words[0]]
    return [{"rate": rate * f, "share": 0.5} for f in (1.0, 1.0, 0.1)]


def measured(facts: Mapping[str, object] = FACTS) -> dict[str, Ceiling]:
    found = calibrate(facts, (2,), Path("/nowhere"), run=fake, build=build)
    return {f"{c.what} {c.of}": c for c in found}


def test_values_are_medians_per_cpu_time_with_their_spread() -> None:
    one = measured()["fp32 avx2"]
    assert one.value == pytest.approx(16e9)
    assert (one.evidence["low"], one.evidence["high"]) == pytest.approx((1.6e9, 16e9))
    assert one.evidence["by_wall_clock"] == pytest.approx(8e9)
    assert one.evidence["share"] == 0.5
    assert one.evidence["times_scalar"] == pytest.approx(8)
    assert one.evidence["vectorised"] is True
    assert one.name == "fp32 avx2 cpus=2"


def test_time_per_load_is_cpu_time_too() -> None:
    found = measured()
    assert found["latency L1"].value == pytest.approx(1e-9)
    assert found["bandwidth DRAM"].value == pytest.approx(2e10)


def test_what_the_cpu_lacks_is_missing_with_the_reason() -> None:
    fp16 = measured()["fp16 -"]
    assert fp16.value is None
    assert "no FP16" in fp16.why


def test_working_sets_are_half_of_what_a_thread_has_of_a_cache() -> None:
    assert levels(CACHES, 1, None) == [("L1", 16 << 10), ("L2", 256 << 10), ("L3", 4 << 20), ("DRAM", 64 << 20)]
    assert dict(levels(CACHES, 4, None))["L3"] == 1 << 20
    assert levels([], 1, 40 << 20) == [("DRAM", 10 << 20)]
    assert dict(levels([{"level": 3, "type": "Unified", "kib": 65536}], 1, None))["DRAM"] == 256 << 20


def test_a_variant_that_can_not_be_compiled_is_missing_and_the_others_go_on() -> None:
    def some(variant: KernelBuild, folder: Path) -> KernelProgram:
        return build(variant, folder) if variant.name != "avx2" else KernelProgram(variant, None, "", why="cc can't")

    found = {f"{c.what} {c.of}": c for c in calibrate(FACTS, (0,), Path("/x"), run=fake, build=some)}
    assert found["fp32 avx2"].why == "cc can't"
    assert found["bandwidth L1"].evidence["isa"] == "sse2"


def test_without_a_compiler_numpy_measures_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(variant: KernelBuild, folder: Path) -> KernelProgram:
        raise NotInstalled("a C compiler", "install one")

    cpu = sorted(os.sched_getaffinity(0))[0]
    found = {
        f"{c.what} {c.of}": c for c in calibrate(FACTS, (cpu,), Path("/x"), seconds=0.01, repetitions=2, build=none)
    }
    assert (found["fp32 numpy BLAS"].value or 0) > 0
    assert (found["bandwidth DRAM"].value or 0) > 0
    assert "A C compiler is not installed" in found["fp32 numpy BLAS"].evidence["instead"]
    assert found["latency -"].value is None


@pytest.mark.cc
def test_the_real_program_answers_for_every_kind(tmp_path: Path) -> None:
    built = kernels.build(KernelBuild("scalar", 4, kernels.SCALAR), tmp_path)
    assert built.path is not None
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))
    for kind in ("fp", "int8", "triad", "chase"):
        lines = ask(built.path, (kind, str(1 << 16), "0.002", "3", cpus))
        assert len(lines) == 3
        # CPU time is read within the elapsed time, by another clock; a sum over both CPUs would be 2
        assert all(line["rate"] > 0 and 0 <= line["share"] < 1.5 for line in lines)
    with pytest.raises(HwprofError, match="may not use"):
        ask(built.path, ("fp", "0", "0.002", "1", "1000"))


def test_numpys_own_failure_is_an_error() -> None:
    with pytest.raises(HwprofError, match="numpy could not"):
        list(by_numpy((4000,), 1, 0.01, ""))
