"""Geometry of modelled caches: as the user gives it, and from the tables of CPUs."""

from __future__ import annotations

import pytest

from hwprof.collectors.perf.tables import with_caches
from hwprof.collectors.riscv.caches import DataCache, parse_cache
from hwprof.collectors.riscv.simulator import arguments, parse
from hwprof.errors import UsageError


@pytest.mark.parametrize(
    ("text", "cache", "again"),
    [
        ("32k/8/64", DataCache(32768, 8, 64), "32k/8/64"),
        ("2M/16/64", DataCache(2 << 20, 16, 64), "2m/16/64"),
        ("96/3/32", DataCache(96, 3, 32), "96/3/32"),
    ],
)
def test_a_cache_is_its_size_ways_and_line(text: str, cache: DataCache, again: str) -> None:
    assert parse_cache(text) == cache
    assert cache.text == again


@pytest.mark.parametrize(
    "text", ["32k", "32k/8", "32k/0/64", "32k/8/60", "33k/8/64", "32k/8/64/1", "4g/8/64", "2048m/8/64", "-1/1/1"]
)
def test_what_is_no_cache_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no cache"):
        parse_cache(text)


def test_a_cpu_has_the_vectors_and_caches_of_its_table() -> None:
    x60 = parse("riscv64:cpu=spacemit-x60")
    assert (x60.v, x60.vlen, x60.label, x60.model) == (True, 256, "riscv64", "riscv64-spacemit-x60")
    assert x60.caches is not None
    assert x60.caches.arguments == {"l1d": "32768/4/64", "l2": "524288/16/64"}
    u74 = parse("riscv64:cpu=sifive-u74")
    assert (u74.label, u74.model) == ("riscv64-no-v", "riscv64-sifive-u74")


def test_caches_of_ones_own_name_the_model() -> None:
    own = parse("riscv64:vlen=128,l1d=64k/2/64")
    assert own.model == "riscv64-l1d64k-2-64"
    assert own.label == "riscv64-vlen128"
    assert parse("riscv64").model == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("riscv64:cpu=pentium", "no caches of 'pentium' are known"),
        ("riscv64:cpu=spacemit-x60,l1d=32k/8/64", "the caches of a CPU and others"),
        ("riscv64:l2=512k/16/64", "No caches without l1d"),
        ("riscv64:l1d=big", "'big' is no cache"),
        ("riscv64:l1d=", "'l1d='"),
    ],
)
def test_what_is_no_model_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_every_table_with_caches_can_be_modelled_and_names_its_source() -> None:
    tables = with_caches()
    assert {"spacemit-x60", "sifive-u74"} <= set(tables)
    for name, table in tables.items():
        assert parse(f"riscv64:cpu={name}").caches is not None
        assert table.caches["source"]


def test_the_plugin_is_told_the_caches_only_where_some_are_modelled(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("hwprof.collectors.riscv.simulator.qemu", lambda: "qemu")
    monkeypatch.setattr("hwprof.collectors.riscv.simulator.interface", lambda program: 1)
    monkeypatch.setattr("hwprof.collectors.riscv.simulator.plugin", lambda api: "plugin.so")
    words = arguments(tmp_path, parse("riscv64:l1d=32k/8/64"), tmp_path / "c")
    assert f"plugin.so,out={tmp_path}/c,l1d=32768/8/64" in words
    assert f"plugin.so,out={tmp_path}/c" in arguments(tmp_path, parse("riscv64"), tmp_path / "c")
