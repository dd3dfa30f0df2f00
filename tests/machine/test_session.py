"""What a session is recorded as."""

from __future__ import annotations

from pathlib import Path

from hwprof.machine.session import begin_session


def test_every_session_has_an_id_of_its_own_and_names_its_boot(tmp_path: Path) -> None:
    boot = tmp_path / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("0f9c7f8a-1b2c-4d5e-8f90-a1b2c3d4e5f6\n")
    first, second = begin_session(tmp_path), begin_session(tmp_path)
    assert first["boot"] == second["boot"] == "0f9c7f8a1b2c"
    assert first["id"] != second["id"]


def test_a_kernel_without_a_number_of_its_boot_is_no_error(tmp_path: Path) -> None:
    assert set(begin_session(tmp_path)) == {"id"}
