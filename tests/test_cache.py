"""Where the cache is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cache import default_cache


@pytest.mark.parametrize(
    ("own", "desktop", "expected"),
    [
        ("/own", "/desktop", "/own"),
        ("", "/desktop", "/desktop/hwprof"),
        ("", "", "{home}/.cache/hwprof"),
        ("", None, "{home}/.cache/hwprof"),
    ],
)
def test_the_cache_is_the_users_own_choice_or_the_desktops(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: str, desktop: str | None, expected: str
) -> None:
    monkeypatch.setenv("HWPROF_CACHE", own)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if desktop is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", desktop)
    assert default_cache() == Path(expected.format(home=tmp_path))
