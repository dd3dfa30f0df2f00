from __future__ import annotations

import ctypes
import errno
from pathlib import Path

import pytest

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.abi import Attr, Circumstances, LinuxKernel, Rights, explain, fits, read_rights

ROOT_RIGHTS = Rights(2, True)


def test_attr_has_the_published_layout() -> None:
    assert ctypes.sizeof(Attr) == abi.ATTR_SIZES[-1] == 136
    offsets = {
        name: getattr(Attr, name).offset for name in ("flags", "config2", "branch_sample_type", "sample_regs_user")
    }
    assert offsets == {"flags": 40, "config2": 64, "branch_sample_type": 72, "sample_regs_user": 80}
    assert (Attr.sample_regs_intr.offset, Attr.aux_watermark.offset, Attr.aux_sample_size.offset) == (96, 104, 112)
    assert (Attr.sig_data.offset, Attr.config3.offset) == (120, 128)


def test_a_smaller_attr_is_tried_only_if_nothing_is_lost() -> None:
    assert fits(Attr(config=1), 112)
    assert not fits(Attr(config3=1), 128)
    assert not fits(Attr(), 100)


class OldKernel(LinuxKernel):
    """Knows 112 bytes, and says so as Linux does."""

    def __init__(self) -> None:
        super().__init__()
        self._number = 1
        self.sizes: list[int] = []

    def _open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        self.sizes.append(attr.size)
        if attr.size > 112:
            attr.size = 112
            raise OSError(errno.E2BIG, "too big")
        return 7


def test_e2big_is_answered_with_the_size_the_kernel_knows() -> None:
    kernel = OldKernel()
    assert kernel.open(Attr(config=1), 0, -1, -1, 0) == 7
    assert kernel.sizes == [136, 112]


def test_e2big_stays_an_error_where_config3_would_be_lost() -> None:
    with pytest.raises(OSError, match="too big") as caught:
        OldKernel().open(Attr(config3=1), 0, -1, -1, 0)
    assert caught.value.errno == errno.E2BIG


class FewFiles(LinuxKernel):
    """Has no file for an event until the limit is raised; `limit`: soft and hard."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *limit: int) -> None:
        super().__init__()
        self._number, self.limit = 1, limit
        monkeypatch.setattr("resource.getrlimit", lambda which: self.limit)
        monkeypatch.setattr("resource.setrlimit", lambda which, limit: setattr(self, "limit", limit))

    def _open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        if self.limit[0] < 4096:
            raise OSError(errno.EMFILE, "too many")
        return 7


def test_the_soft_limit_of_files_is_raised_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FewFiles(monkeypatch, 1024, 4096)
    assert kernel.open(Attr(config=1), 0, -1, -1, 0) == 7
    assert kernel.limit == (4096, 4096)


@pytest.mark.parametrize("hard", [1024, 2048])
def test_too_many_files_for_the_hard_limit_stay_an_error(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    with pytest.raises(OSError, match="too many") as caught:
        FewFiles(monkeypatch, 1024, hard).open(Attr(config=1), 0, -1, -1, 0)
    assert caught.value.errno == errno.EMFILE


def test_an_unknown_architecture_says_so() -> None:
    kernel = LinuxKernel()
    kernel._number = -1
    with pytest.raises(OSError, match=r".") as caught:
        kernel.open(Attr(), 0, -1, -1, 0)
    assert caught.value.errno == errno.ENOSYS


def asked(**fields: object) -> Circumstances:
    return Circumstances(**({"hardware": True, "has_pmu": True, "rights": ROOT_RIGHTS} | fields))  # type: ignore[arg-type]


def test_eacces_at_paranoid_3_names_the_level_and_the_sysctl() -> None:
    why = explain(errno.EACCES, asked(rights=Rights(3, False)))
    assert "perf_event_paranoid is 3" in why.reason
    assert "sysctl kernel.perf_event_paranoid=2" in why.remedy


def test_eacces_at_paranoid_2_offers_the_capability() -> None:
    why = explain(errno.EACCES, asked(rights=Rights(2, False)))
    assert "cap_perfmon" in why.remedy
    assert "loses its counters" in why.remedy


def test_eperm_blames_the_container_and_not_the_sysctl() -> None:
    why = explain(errno.EPERM, asked())
    assert "seccomp" in why.reason
    assert "PERFMON" in why.remedy
    assert "sysctl kernel" not in why.remedy


@pytest.mark.parametrize(
    ("code", "fields", "words"),
    [
        (errno.ENOENT, {"has_pmu": False}, "vPMU"),
        (errno.ENOENT, {}, "do not count this event"),
        (errno.EOPNOTSUPP, {"has_pmu": False}, "vPMU"),
        (errno.EOPNOTSUPP, {}, "does not support"),
        (errno.EINVAL, {"excluding": True}, "user from kernel"),
        (errno.EINVAL, {"per_socket": True}, "whole socket"),
        (errno.EINVAL, {}, "combination"),
        (errno.EMFILE, {}, "too many open files"),
        (errno.ENODEV, {}, "leader is gone"),
        (errno.ESRCH, {}, "ended"),
        (errno.EBUSY, {}, "exclusively"),
        (errno.ENOSPC, {}, "no counter is left"),
        (errno.E2BIG, {}, "too old"),
        (errno.ENOSYS, {}, "perf_event_open"),
        (errno.EIO, {}, "perf_event_open failed"),
        (errno.EACCES, {"foreign": True}, "that process"),
    ],
)
def test_each_errno_has_a_reason(code: int, fields: dict[str, object], words: str) -> None:
    assert words in explain(code, asked(**fields)).reason


def test_rights_are_read_from_proc(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "proc/sys/kernel/perf_event_paranoid").write_text("2\n")
    (tmp_path / "proc/self/status").write_text("Name:\tx\nCapEff:\t0000004000000000\n")
    assert read_rights(tmp_path) == Rights(2, True)
    (tmp_path / "proc/self/status").write_text("CapEff:\t0000000000000000\n")
    assert read_rights(tmp_path) == Rights(2, False)
    assert read_rights(tmp_path / "nowhere") == Rights(None, False)
