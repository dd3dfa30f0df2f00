"""What names this one machine or its user, found on planted trees."""

from __future__ import annotations

from pathlib import Path

from hwprof.machine.private import private_words


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_host_user_serial_number_and_address_are_found(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/sys/kernel/hostname": "annas-board.lab.example\n",
            "proc/device-tree/serial-number": "1f2e3d4c\0",
            "proc/cpuinfo": "processor\t: 0\n\nSerial\t\t: 10000000a1b2c3d4\n",
            "sys/class/net/eth0/address": "02:42:ac:11:00:02\n",
            "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        },
    )
    found = private_words(root, {"USER": "anna", "HOME": "/data/people/anna"})
    assert {found[word] for word in ("annas-board", "annas-board.lab.example")} == {"[host]"}
    assert found["anna"] == "[user]"
    assert found["/data/people/anna"] == "~"
    assert found["02:42:ac:11:00:02"] == "[address]"
    serials = ("1f2e3d4c", "10000000a1b2c3d4", "0123456789abcdef0123456789abcdef")
    assert {found[word] for word in serials} == {"[serial]"}
    lengths = [len(word) for word in found]
    assert lengths == sorted(lengths, reverse=True), "one that holds another comes first"


def test_names_that_many_machines_share_are_kept(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/sys/kernel/hostname": "visionfive\n",
            "proc/device-tree/model": "StarFive VisionFive v1.2A\0",
            "etc/hostname": "localhost\n",
            "sys/class/net/lo/address": "00:00:00:00:00:00\n",
        },
    )
    found = private_words(root, {"USER": "root", "HOME": "/root"})
    assert not set(found) & {"visionfive", "localhost", "root", "/root", "00:00:00:00:00:00"}
