"""Counting by callgrind: what the launcher's side makes of its dumps, and what it refuses."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import pytest

from hwprof.collectors.callgrind import Callgrind, callgrind_available
from hwprof.collectors.client_requests import CODE, COUNTED, EMPTY, IGNORED, connect
from hwprof.collectors.modelled_caches import DEFAULTS
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.simulators import INFERENCES, inferences
from hwprof.errors import CaseFailed
from hwprof.plan.cases import plan
from hwprof.plan.experiment import parse
from hwprof.records import Failure
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop
from tests.scripts import write_script

EVENTS = "events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim"


def dump(folder: Path, number: int, tag: str, totals: str | None) -> None:
    """A dump as callgrind writes it: `totals` None: it was cut off."""
    end = "" if totals is None else f"totals: {totals}\n"
    trigger = f"Client Request: {tag}" if tag else "Program termination"
    text = (
        f"# callgrind format\npid: 1\ndesc: Trigger: {trigger}\n\n{EVENTS}\nsummary: 1 1 1\n\nfn=(1) f\n0 10 2\n\n{end}"
    )
    (folder / (f"callgrind.out.{number}" if number else "callgrind.out")).write_text(text)


def test_what_is_counted_is_the_window_less_the_empty_one(tmp_path: Path) -> None:
    dump(tmp_path, 1, IGNORED, "94000 9 9")
    dump(tmp_path, 2, EMPTY, "4000 1500 700 50 10 0 7")
    dump(tmp_path, 3, COUNTED, "8104000 3001500 1000700 1050 410 20 2")
    dump(tmp_path, 0, "", "18446744073709551000 5 5")  # what is left at the end wraps below zero
    found = {r.metric: r for r in Callgrind(tmp_path, DEFAULTS).parse()}
    assert found["instructions"].value == 8_100_000
    assert found["loads"].value == 3_000_000
    assert found["l1d-misses"].value == 420
    assert found["llc-misses"].value == 0  # the edges missed more often in the empty window: not below nothing
    assert found["instructions"].source == "callgrind:v2:Ir"


@pytest.mark.parametrize("absent", [EMPTY, COUNTED])
def test_a_missing_dump_is_one_clear_failure(tmp_path: Path, absent: str) -> None:
    for number, tag in enumerate((IGNORED, *({EMPTY, COUNTED} - {absent})), 1):
        dump(tmp_path, number, tag, "8104000 3001500")
    dump(tmp_path, 0, "", "8104000 3001500")
    with pytest.raises(CaseFailed, match=f"no dump of the window '{absent}'"):
        Callgrind(tmp_path, DEFAULTS).parse()


def test_a_dump_that_was_cut_off_is_no_count(tmp_path: Path) -> None:
    dump(tmp_path, 1, EMPTY, "4000 1500")
    dump(tmp_path, 2, COUNTED, None)
    with pytest.raises(CaseFailed, match="without events or totals"):
        Callgrind(tmp_path, DEFAULTS).parse()


def test_the_modelled_caches_are_said_to_callgrind(tmp_path: Path) -> None:
    command = Callgrind(tmp_path, DEFAULTS).argv(["python", "x.py"])
    assert {"--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"} <= set(command)
    assert command[-2:] == ["python", "x.py"]


def test_a_machine_without_a_known_client_request_is_refused_with_the_reason(tmp_path: Path) -> None:
    write_script(tmp_path / "valgrind", "")
    state = callgrind_available(str(tmp_path), "s390x")
    assert isinstance(state, Unavailable)
    assert "s390x" in state.reason
    assert not isinstance(callgrind_available(str(tmp_path), "x86_64"), Unavailable)
    assert isinstance(callgrind_available(str(tmp_path / "empty"), "x86_64"), Unavailable)


def test_outside_valgrind_nobody_answers() -> None:
    wanted = "not answered" if platform.machine() in ("x86_64", "aarch64", "riscv64") else "no client request"
    with pytest.raises(CaseFailed, match=wanted):
        connect()
    with pytest.raises(CaseFailed, match="No client request of valgrind is known for s390x"):
        connect("s390x")


def simulate_by(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Failure:
    """How a simulated case fails with this program in valgrind's place."""
    valgrind = folder / "bin" / "valgrind"
    valgrind.parent.mkdir()
    write_script(valgrind, program)
    monkeypatch.setenv("PATH", f"{valgrind.parent}{os.pathsep}{os.environ['PATH']}")
    experiment = parse(
        '[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["tiny_cnn"]\n[simulate]\nwhen = "always"\n', "one.toml"
    )
    runner = Runner(experiment)
    (planned,) = plan(experiment)
    run = runner.simulate(planned, Workshop(runner.launcher, 0), time.monotonic() + 600)
    assert run.windows == ()
    assert run.failure is not None
    return run.failure


KNOWN = pytest.mark.skipif(platform.machine() not in CODE, reason="callgrind is refused on this machine")
WITHOUT = 'while [ "${1#--}" != "$1" ]; do shift; done'  # valgrind's own options


@KNOWN
def test_a_worker_that_callgrind_does_not_answer_has_no_counts(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = simulate_by(tmp_path, monkeypatch, f'[ "$1" = --version ] && exit\n{WITHOUT}\nexec "$@"')
    assert "client requests are not answered" in failure.message


@KNOWN
def test_an_interrupted_simulation_is_one_clear_failure(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = simulate_by(tmp_path, monkeypatch, "kill -KILL $$")
    assert failure.code == "killed"
    assert "SIGKILL" in failure.message


@pytest.mark.parametrize(("macs", "wanted"), [(1_000, INFERENCES), (30_000_000, 2), (4_000_000_000, 1), (None, 1)])
def test_small_networks_are_counted_over_several_inferences(macs: int | None, wanted: int) -> None:
    assert inferences(macs) == wanted
