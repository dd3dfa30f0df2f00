"""Writers that are killed, and writers that come together."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from hwprof.store import Results
from tests.factories import make_run

# Writes rounds one after the other, from what the file says is done, and says each one when it is saved.
WRITER = """
import sys
from hwprof.store import Results
from tests.factories import make_run
path, network, rounds, iterations = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
metrics = {f"event-{i}": float(i) for i in range(40)}
with Results.open(path, create=True) as results:
    experiment = results.begin_experiment("sweep", "", "plan", 7)
    done = {key[2] for key in results.done(experiment)} if network == "alexnet" else set()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(rounds):
        if number not in done:
            results.add(make_run(network=network, round=number, metrics=metrics, iterations=iterations), experiment)
            print(number, flush=True)
"""
METRICS = {f"event-{i}": float(i) for i in range(40)}


def writer(path: Path, network: str, rounds: int, iterations: int = 31) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), network, str(rounds), str(iterations)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_writer_killed_at_any_moment_leaves_whole_runs_only(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    luck = random.Random(5)
    told: list[int] = []
    for _ in range(4):
        process = writer(path, "alexnet", 10_000, 2001)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        go(process)
        told += [int(process.stdout.readline()) for _ in range(luck.randrange(1, 4))]
        moment = time.perf_counter() + luck.random() * 0.02
        while time.perf_counter() < moment:  # somewhere in the next write
            pass
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.communicate()[0].splitlines()]
        with Results.open(path) as results:
            rounds = [run.round for run in results.runs()]
            assert len(set(rounds)) == len(rounds)
            assert set(told) <= set(rounds), "what was said to be saved is there"
            for run in results.runs():
                assert run == make_run(network="alexnet", round=run.round, metrics=METRICS, iterations=2001)
    assert told == sorted(set(told)), "nothing was repeated"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_two_writers_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    both = [writer(path, network, 15) for network in ("resnet18", "resnet50")]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        go(process)
    for process in both:
        process.communicate()
        assert process.returncode == 0
    with Results.open(path) as results:
        expected = {(network, number) for network in ("resnet18", "resnet50") for number in range(15)}
        assert {(run.case.network, run.round) for run in results.runs()} == expected
        assert len(results.experiments()) == 1
        assert results.experiments()[0].ok == 30
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM metric").fetchone() == (40,)
    assert connection.execute("SELECT count(*) FROM machine").fetchone() == (1,)
    connection.close()
