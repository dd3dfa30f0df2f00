"""TVM's own search of kernels: a part of the case, kept with its artifact, said in the run's facts."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from hwprof import plugins
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.errors import UsageError
from hwprof.frameworks import tvm
from hwprof.frameworks.tvm.adapter import target
from hwprof.frameworks.tvm.tuning import LIMIT_S, Tally
from hwprof.plan.cases import check_options
from hwprof.records import Case

# As it was before any test got one of its own.
HOME = interpreters.home()
ADAPTER = plugins.adapter("tvm")
CASE = Case("tvm", "tiny_cnn", "recipe", 32)


class Registry:
    """TVM's registry of functions, on a CPU that LLVM knows."""

    def get_global_func(self, name: str, allow_missing: bool = False) -> object:
        """The one that is asked for."""
        return (lambda: "cortex-a76") if name == "target.llvm_get_system_cpu" and allow_missing else None


def test_what_was_tuned_otherwise_is_another_artifact() -> None:
    cases = [
        CASE,
        dataclasses.replace(CASE, options=(("tuning", 32),)),
        dataclasses.replace(CASE, options=(("tuning", 64),)),
        dataclasses.replace(CASE, options=(("tuning", 64),), threads=2),
    ]
    assert len({ADAPTER.cache_key(case) for case in cases}) == 4
    # untuned code is the same for every number of threads
    assert ADAPTER.cache_key(CASE) == ADAPTER.cache_key(dataclasses.replace(CASE, threads=2))


def test_a_search_is_told_the_cores_and_untuned_code_is_not() -> None:
    assert target(Registry(), 4) == {"kind": "llvm", "mcpu": "cortex-a76", "num-cores": 4}
    assert target(Registry()) == {"kind": "llvm", "mcpu": "cortex-a76"}


def test_only_known_budgets_are_taken() -> None:
    assert check_options(ADAPTER, [("tuning", 64)]) == (("tuning", 64),)
    with pytest.raises(UsageError, match="One of: 0, 32, 64"):
        check_options(ADAPTER, [("tuning", 33)])
    assert "tuning" not in tvm.ADAPTER.tunable  # minutes of compiling for every candidate


def test_the_time_is_up_at_the_deadline() -> None:
    at = [0.0]
    tally = Tally(LIMIT_S, now=lambda: at[0])
    assert not tally.out_of_time
    at[0] = LIMIT_S
    assert tally.out_of_time


@pytest.mark.environments
@pytest.mark.timeout(900)
def test_tuned_kernels_compute_the_reference_and_are_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    words = ["run", "-f", "tvm", "-n", "tiny_cnn", "--iterations", "3", "-w", "1", "-r", "1", "--no-save", "--json"]
    found = []
    for _ in range(2):
        assert main([*words, "--option", "tuning=32"]) == 0
        (run,) = json.loads(capsys.readouterr().out)["runs"]
        assert run["failure"] is None
        assert run["fidelity"]["max_rel"] < 1e-3
        found.append(run["facts"]["tuning"])
    assert 0 < found[0]["trials"] <= found[0]["trials_asked"] == 32
    assert 0 < found[0]["kernels_tuned"] <= found[0]["kernels"]
    assert found[1] == found[0]  # kept, seconds and all, not searched anew
    (kept,) = (path for path in (cache / "artifacts").glob("tvm-tiny_cnn-*") if (path / "tuning.json").is_file())
    records = (kept / "tuning" / "database_tuning_record.json").read_text().splitlines()
    assert len(records) >= found[0]["kernels_tuned"]
