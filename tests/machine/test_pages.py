"""Huge pages of a process, and whether malloc can be made to take them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwprof.machine import pages
from hwprof.machine.pages import ENABLED, huge_pages_bytes, why_no_tunable, why_none_on_request


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / {"enabled": ENABLED, "rollup": "proc/self/smaps_rollup"}[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_kernels_sum_is_in_bytes_and_missing_is_not_zero(tmp_path: Path) -> None:
    assert huge_pages_bytes(tmp_path) is None
    assert huge_pages_bytes(tree(tmp_path, rollup="Rss: 9000 kB\nAnonHugePages:    4096 kB\n")) == 4096 * 1024


@pytest.mark.parametrize(
    ("enabled", "why"),
    [
        ("always [madvise] never", ""),
        ("always madvise [never]", "are off"),
        ("[always] madvise never", "unasked"),
    ],
)
def test_malloc_takes_them_only_where_the_kernel_gives_them_to_those_who_ask(
    tmp_path: Path, enabled: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "why_no_tunable", lambda: "")
    found = why_none_on_request(tree(tmp_path, enabled=enabled + "\n"))
    assert why in found
    assert bool(found) is bool(why)


def test_a_kernel_without_them_says_so(tmp_path: Path) -> None:
    assert why_none_on_request(tmp_path) == "this kernel has no transparent huge pages"


@pytest.mark.parametrize(
    ("libc", "why"), [("glibc 2.35", ""), ("glibc 2.31", "2.31"), ("", "not glibc"), ("musl 1.2.5", "not glibc")]
)
def test_the_tunable_is_glibcs_from_a_release_on(libc: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "confstr", lambda name: libc)
    found = why_no_tunable()
    assert why in found
    assert bool(found) is bool(why)
