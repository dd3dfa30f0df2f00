"""A recorded machine's text and its folder are the same thing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import recorded_machines
from tests.recorded_machines import pack, unpack


def test_a_folder_comes_back_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "a/sys").mkdir(parents=True)
    contents = {
        "SOURCE": "modelled\n\n",
        "sys/empty": "",
        "sys/newline": "\n",
        "sys/open": "4\r\n\n5",
        "sys/nul": "a\0",
    }
    for name, content in contents.items():
        (tmp_path / "a" / name).write_bytes(content.encode())
    (tmp_path / "a/sys/folder").symlink_to("../sys")
    unpack(pack(tmp_path / "a"), tmp_path / "b")
    assert {name: (tmp_path / "b" / name).read_bytes().decode() for name in contents} == contents
    assert str((tmp_path / "b/sys/folder").readlink()) == "../sys"


@pytest.mark.parametrize("name", recorded_machines.NAMES)
def test_every_text_is_what_its_folder_is_written_as(name: str) -> None:
    text = (recorded_machines.TEXTS / f"{name}.txt").read_bytes().decode()
    assert pack(recorded_machines.root(name)) == text
    assert text.startswith("== SOURCE ==\n")


def test_what_would_come_back_as_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("== a heading ==\n== sys/one ==\n")
    with pytest.raises(ValueError, match="looks like a heading"):
        pack(tmp_path)
    (tmp_path / "one").rename(tmp_path / "a name")
    with pytest.raises(ValueError, match="with spaces"):
        pack(tmp_path)
    with pytest.raises(ValueError, match="begins with a heading"):
        unpack("no heading\n== SOURCE ==\n", tmp_path / "out")


def test_nothing_of_what_was_unpacked_stays() -> None:
    program = (
        "from tests import recorded_machines as r; p = r.root('rpi4'); assert p.is_dir(); r.remove(); print(p.parent)"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert not Path(out.stdout.strip()).exists()
