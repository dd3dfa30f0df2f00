"""The system call is that of the process's own ABI, and where it is not known, that is what is said."""

from __future__ import annotations

import errno
import platform

import pytest

from hwprof.collectors.perf import abi, syscalls
from hwprof.collectors.perf.syscalls import bit_fields, call_number, ioctl_number


@pytest.mark.parametrize(
    ("machine", "bits", "number"),
    [
        ("x86_64", 64, 298),
        ("x86_64", 32, 336),  # a 32-bit Python on a 64-bit kernel
        ("i686", 32, 336),
        ("aarch64", 64, 241),
        ("aarch64", 32, 364),
        ("armv7l", 32, 364),
        ("armv8l", 32, 364),
        ("riscv64", 64, 241),
        ("loongarch64", 64, 241),
        ("ppc64le", 64, 319),
        ("ppc", 32, 319),
        ("s390x", 64, 331),
        ("mips64", 64, None),
        ("", 64, None),
    ],
)
def test_the_number_is_that_of_the_word_size(machine: str, bits: int, number: int | None) -> None:
    assert call_number(machine, bits) == number


def test_x32_is_told_by_what_python_was_built_for() -> None:
    assert call_number("x86_64", 32, "x86_64-linux-gnux32") == 0x40000000 + 298


def test_ioctls_have_a_direction_on_powerpc() -> None:
    assert ioctl_number(abi.IOC_ENABLE, "x86_64") == 0x2400
    assert ioctl_number(abi.IOC_ENABLE, "ppc64le") == 0x20002400


def test_bit_fields_begin_at_the_top_of_a_big_endian_word() -> None:
    assert bit_fields(abi.DISABLED | abi.ENABLE_ON_EXEC, "little") == 1 | 1 << 12
    assert bit_fields(abi.DISABLED | abi.ENABLE_ON_EXEC, "big") == 1 << 63 | 1 << 51


def test_an_architecture_without_support_is_not_called_a_kernel_without_perf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "mips64")
    with pytest.raises(OSError, match="Function not implemented") as refused:
        abi.LinuxKernel().open(abi.Attr(type=1, config=1), 0, -1, -1, 0)
    asked = abi.Circumstances(False, False, abi.Rights(2, False))
    why = abi.explain(refused.value.errno or 0, asked)
    assert f"how {syscalls.own_bits()}-bit processes on mips64 call perf_event_open" in why.reason
    assert "--backend perf" in why.remedy
    monkeypatch.undo()
    assert "no perf_event_open" in abi.explain(errno.ENOSYS, asked).reason
