from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Event, Parser
from hwprof.collectors.perf.names import CACHE, cache_name
from hwprof.collectors.perf.syntax import split
from hwprof.collectors.perf.sysfs import parse_format
from hwprof.errors import UnknownEvent, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with an x86-like core PMU, an uncore PMU and tracefs."""
    devices = tmp_path / "sys/bus/event_source/devices"
    files = {
        "cpu/type": "4",
        "cpu/format/event": "config:0-7,32-35",
        "cpu/format/umask": "config:8-15",
        "cpu/format/inv": "config:23",
        "cpu/format/cmask": "config:24-31",
        "cpu/format/ldlat": "config1:0-15",
        "cpu/format/filter": "config3:0-7",
        "cpu/events/mem-loads": "event=0xcd,umask=0x1,ldlat=3",
        "cpu/events/slots": "event=0x00,umask=0x4",
        "power/type": "12",
        "power/cpumask": "0",
        "power/format/event": "config:0-7",
        "power/events/energy-pkg": "event=0x02",
        "power/events/energy-pkg.scale": "2.3283064365386962890625e-10",
        "power/events/energy-pkg.unit": "Joules",
    }
    for name, text in files.items():
        path = devices / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    point = tmp_path / "sys/kernel/tracing/events/sched/sched_switch"
    point.mkdir(parents=True)
    (point / "id").write_text("316\n")
    return tmp_path


@pytest.fixture
def parser(root: Path) -> Parser:
    return Parser(Catalog(root))


def codes(event: Event) -> tuple[int, int]:
    return event.type, event.config


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cycles", (0, 0)),
        ("cpu-cycles", (0, 0)),
        ("branch-instructions", (0, 4)),
        ("ref-cycles", (0, 9)),
        ("stalled-cycles-backend", (0, 8)),
        ("task-clock", (1, 1)),
        ("cs", (1, 3)),
        ("context-switches", (1, 3)),
        ("minor-faults", (1, 5)),
        ("emulation-faults", (1, 8)),
        ("L1-dcache-load-misses", (3, 0x10000)),
        ("LLC-stores", (3, 0x102)),
        ("dTLB-prefetch-misses", (3, 0x10203)),
        ("node-loads", (3, 6)),
        ("r3b", (4, 0x3B)),
        ("r8000000000000005", (4, 0x8000000000000005)),
        ("sched:sched_switch", (2, 316)),
    ],
)
def test_names_of_perf_stat(parser: Parser, name: str, expected: tuple[int, int]) -> None:
    assert codes(parser.event(name)) == expected


def test_there_are_seven_caches_three_operations_two_results() -> None:
    assert len(CACHE) == 42
    assert len({config for config, _ in CACHE.values()}) == 42


def test_an_alias_and_its_name_are_one_metric(parser: Parser) -> None:
    assert len(parser.parse(["cs,context-switches,cs:u,context-switches:u"])) == 2


def test_a_format_scatters_low_bits_into_the_first_range() -> None:
    where = parse_format("config:0-7,32-35")
    assert where.scatter(0xABC) == 0xBC | 0xA << 32
    assert where.width == 12
    with pytest.raises(UsageError, match="does not fit"):
        where.scatter(0x1000)


@pytest.mark.parametrize("text", ["", "config", "config4:0", "config:a-b", "config:1-"])
def test_an_unreadable_format_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="format"):
        parse_format(text)


def test_pmu_terms(parser: Parser) -> None:
    event = parser.event("cpu/event=0x1c2,umask=0x3,inv,cmask=2/")
    assert codes(event) == (4, 0xC2 | 1 << 32 | 0x3 << 8 | 1 << 23 | 2 << 24)
    assert event.kind == "core"


@pytest.mark.parametrize("name", ["cpu/umask=01,event=0xc2/", "cpu/umask=0x1,event=0xc2/"])
def test_numbers_of_terms_are_read_as_perf_reads_them(parser: Parser, name: str) -> None:
    assert codes(parser.event(name)) == (4, 0xC2 | 1 << 8)


@pytest.mark.parametrize(
    ("name", "metric"), [("cpu/cycles/", "cycles"), ("cpu/cpu-cycles/u", "cycles:u"), ("cpu/r3c/k", "r3c:k")]
)
def test_generic_names_and_raw_codes_of_the_cores_pmu_are_the_plain_ones(
    parser: Parser, name: str, metric: str
) -> None:
    assert parser.events(name) == parser.events(metric)


def test_terms_reach_config1_and_config3(parser: Parser) -> None:
    event = parser.event("cpu/ldlat=30,filter=7,config2=0x5/")
    assert (event.config1, event.config2, event.config3) == (30, 5, 7)


@pytest.mark.parametrize("name", ["cpu/mem-loads/", "mem-loads"])
def test_sysfs_event_names(parser: Parser, name: str) -> None:
    event = parser.event(name)
    assert (event.config, event.config1, event.metric) == (0x1CD, 3, name)


def test_scale_and_unit_come_from_sysfs(parser: Parser) -> None:
    event = parser.event("power/energy-pkg/")
    assert (event.unit, event.kind, event.per_socket) == ("Joules", "other", True)
    assert event.scale == pytest.approx(2.33e-10, rel=0.01)


def test_a_name_term_renames(parser: Parser) -> None:
    assert parser.event("cpu/event=0x3c,name=mine/").metric == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cpu/evnt=1/", "no term or event 'evnt'"),
        ("cpu/event=many/", "no number"),
        ("cpu/event=0x3c,period=1000/", "sampling"),
        ("cpu/event=0xfffff/", "does not fit"),
        ("cycles:p", "modifier 'p'"),
        ("cpu/event=1", "not closed"),
        ("{cycles,instructions", "not closed"),
        ("{cycles}x", "no group"),
        ("cycles,,instructions", "empty"),
        ("", "empty"),
    ],
)
def test_malformed_requests_say_what_is_wrong(parser: Parser, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parser.parse([name])


def test_modifiers(parser: Parser) -> None:
    event = parser.event("cycles:ku")
    assert (event.metric, event.base, event.modifiers) == ("cycles:uk", "cycles", "uk")
    assert parser.event("cpu/event=0x3c/k").modifiers == "k"
    assert parser.event("sched:sched_switch:u").modifiers == "u"


def test_user_only_context_switches_are_refused_not_zero(parser: Parser) -> None:
    for name in ("context-switches:u", "migrations:u", "cs:h"):
        refused = parser.event(name).refused
        assert refused is not None
        assert "read 0" in refused.reason
    assert parser.event("context-switches:k").refused is None


def test_groups_lists_and_group_modifiers(parser: Parser) -> None:
    units = parser.parse(["{cycles,cpu/event=0x3c,umask=1/}:u,page-faults", "r3b"])
    assert [[e.metric for e in unit] for unit in units] == [
        ["cycles:u", "cpu/event=0x3c,umask=1/:u"],
        ["page-faults"],
        ["r3b"],
    ]


def test_split_keeps_braces_and_slashes_whole() -> None:
    assert list(split("a,{b,c},cpu/x=1,y/,d")) == ["a", "{b,c}", "cpu/x=1,y/", "d"]


def test_an_unknown_name_gets_a_suggestion(parser: Parser) -> None:
    with pytest.raises(UnknownEvent, match=r"Unknown event 'cache-mises'\. Did you mean cache-misses"):
        parser.parse(["cache-mises"])
    with pytest.raises(UnknownEvent, match="vector-instructions"):
        parser.parse(["vector-instruction"])


def test_an_unknown_pmu_is_an_unknown_event(parser: Parser) -> None:
    with pytest.raises(UnknownEvent):
        parser.event("gpu/busy/")


def test_the_core_pmu_that_a_machine_lacks_is_unavailable_not_unknown(tmp_path: Path) -> None:
    refused = Parser(Catalog(tmp_path)).event("cpu/event=0x3c/").refused
    assert refused is not None
    assert "no PMU named 'cpu'" in refused.reason


def test_an_unknown_tracepoint_gets_a_suggestion(parser: Parser) -> None:
    with pytest.raises(UnknownEvent, match="sched:sched_switch"):
        parser.event("sched:sched_swich")


def test_without_tracefs_a_tracepoint_is_unavailable_with_the_mount_command(tmp_path: Path) -> None:
    refused = Parser(Catalog(tmp_path)).event("sched:sched_switch").refused
    assert refused is not None
    assert "mount -t tracefs" in refused.remedy


def test_auto_is_a_list_of_single_events(parser: Parser) -> None:
    units = parser.parse(["auto"])
    assert all(len(unit) == 1 for unit in units)
    assert units[0][0].metric == "task-clock"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("LLC-misses", "LLC-load-misses"),
        ("LLC-load-miss", "LLC-load-misses"),
        ("LLC-misses-stores", "LLC-store-misses"),
        ("l1d-read-access", "L1-dcache-loads"),
        ("L1-dcache-refs", "L1-dcache-loads"),
        ("L1-icache-misses", "L1-icache-load-misses"),
        ("dTLB-write-misses", "dTLB-store-misses"),
        ("Data-TLB-speculative-read-miss", "dTLB-prefetch-misses"),
        ("bpu", "branch-loads"),
        ("node-prefetch", "node-prefetches"),
        ("LLC-misses:u", "LLC-load-misses:u"),
        ("cpu/LLC-misses/u", "LLC-load-misses:u"),
    ],
)
def test_cache_events_in_perfs_other_spellings_are_the_same_event(parser: Parser, name: str, ours: str) -> None:
    assert parser.events(name) == parser.events(ours)


def test_every_own_name_of_a_cache_event_is_one_of_perfs_spellings() -> None:
    assert {name: cache_name(name) for name in CACHE} == {name: name for name in CACHE}


@pytest.mark.parametrize("name", ["branches", "branch-misses", "llc-misses", "l1d-misses", "cache-misses"])
def test_names_that_mean_something_else_are_no_cache_events(parser: Parser, name: str) -> None:
    assert parser.event(name).metric == name


@pytest.mark.parametrize("name", ["LLC-hits", "misses", "LLC-load-store", "LLC-misses-misses", "L3-misses"])
def test_what_perf_does_not_spell_is_unknown(parser: Parser, name: str) -> None:
    with pytest.raises(UnknownEvent):
        parser.event(name)


@pytest.mark.parametrize("name", ["cycles:user", "LLC-misses:kernel", "task-clock:all", "r3b:user"])
def test_an_unknown_modifier_is_no_tracepoint(parser: Parser, name: str) -> None:
    with pytest.raises(UsageError, match="is no modifier"):
        parser.parse([name])


def test_what_cannot_be_understood_is_refused_for_itself_alone(parser: Parser) -> None:
    units = parser.parse(["cycles,cache-mises,cpu/evnt=1/,page-faults", "cycles:user"])
    refused = {e.metric: e.refused for unit in units for e in unit}
    assert list(refused) == ["cycles", "cache-mises", "cpu/evnt=1/", "page-faults", "cycles:user"]
    assert refused["cycles"] is refused["page-faults"] is None
    wrong = refused["cache-mises"]
    assert wrong is not None
    assert wrong.reason == "unknown event 'cache-mises'"
    assert "Did you mean cache-misses" in wrong.remedy


def test_a_list_of_which_nothing_can_be_understood_is_an_error(parser: Parser) -> None:
    with pytest.raises(UnknownEvent, match="cache-mises"):
        parser.parse(["cache-mises,cache-mises,cycles:user"])
