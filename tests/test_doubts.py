"""Doubts follow from what was measured."""

from __future__ import annotations

import dataclasses

from hwprof import doubts
from hwprof.records import TEST_EQUIPMENT, Case, Doubt, Exactness, Origin, Reading, Role, Run, Window


def run_of(*windows: Window, threads: int = 1) -> Run:
    return Run("1", Case("f", "n", "", 32, threads=threads), windows=windows)


def window(role: Role, latencies: list[int], *readings: Reading, elapsed_ns: int = 10**9) -> Window:
    return Window(0, role, -1, 0, elapsed_ns, tuple(latencies), readings)


def codes(run: Run) -> set[str]:
    return {d.code for d in doubts.of_run(run, 2)}


QUIET = window(Role.BARE, [100] * 50)


def test_a_quiet_run_is_not_doubted() -> None:
    assert codes(run_of(QUIET, window(Role.COUNTED, [101] * 50))) == set()


def test_what_scatters_or_costs_is_doubted() -> None:
    assert "noisy" in codes(run_of(window(Role.BARE, [100] * 40 + [200] * 10)))
    assert "few-iterations" in codes(run_of(window(Role.BARE, [100] * 3)))


def test_scaled_and_user_only_counts_are_doubted() -> None:
    scaled = Reading("cycles", 1.0, exactness=Exactness.SCALED, origin=Origin.HARDWARE, domain="user")
    assert {"multiplexed", "user-only"} <= codes(run_of(QUIET, window(Role.COUNTED, [100] * 50, scaled)))


def test_counts_of_test_equipment_are_named_in_a_doubt() -> None:
    made_up = Reading("cache-misses", 7.0, origin=Origin.EMULATED, meaning=f"{TEST_EQUIPMENT} (testpmu)")
    (found,) = doubts.of_run(run_of(window(Role.COUNTED, [100] * 50, made_up, Reading("cycles", 9.0))), 2)
    assert doubts.text(found).startswith("cache-misses: counted by test equipment")


def test_waiting_for_a_cpu_and_spinning_are_doubted() -> None:
    wait = Reading("run-queue-wait", 0.3, "s")
    assert "other-load" in codes(run_of(window(Role.BARE, [100] * 50, wait)))
    busy = (Reading("cpu-user-time", 1.99, "s"), Reading("cpu-system-time", 0.0, "s"))
    assert "spin-waiting" in codes(run_of(window(Role.BARE, [100] * 50, *busy), threads=2))
    calm = (dataclasses.replace(busy[0], value=1.5), busy[1])
    assert "spin-waiting" not in codes(run_of(window(Role.BARE, [100] * 50, *calm), threads=2))


def test_idle_cpus_of_a_serial_part_are_no_other_load_where_the_cpus_were_watched() -> None:
    def of(watched: bool) -> set[str]:
        times = {"run-queue-wait": 1.0, "cpu-user-time": 1.5, "cpu-system-time": 0.0}
        cpus = {f"{name}[cpu{n}]": value for n in (0, 1) for name, value in (("cpu-busy", 0.75), ("cpu-steal", 0.0))}
        slices = [window(Role.BARE, [100] * 50, *(Reading(n, v, "s") for n, v in times.items())) for _ in range(2)]
        times |= cpus if watched else {}
        stretch = window(Role.BARE, [100] * 50, *(Reading(n, v, "s") for n, v in times.items()))
        return codes(Run("1", Case("f", "n", "", 32, threads=4, cpus=(0, 1)), windows=(*slices, stretch)))

    assert "other-load" in of(watched=False)
    assert "other-load" not in of(watched=True)


def test_every_doubt_has_advice_and_an_unknown_one_is_shown_as_it_is() -> None:
    assert all(says and advice for says, advice in doubts.ADVICE.values())
    assert "1.5" in doubts.text(Doubt("noisy", {"ratio": 1.5}))
    assert "held the process back 16.0 times" in doubts.text(Doubt("container-limit", {"times": 15.9861}))
    assert "of-tomorrow" in doubts.text(Doubt("of-tomorrow", {"x": 1}))
    assert "noisy" in doubts.text(Doubt("noisy", {}))
