"""From what perf script prints to tables and a flame graph."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.errors import NotAvailable
from hwprof.programs import perf, recording, samples
from hwprof.programs.recording import Sampling
from hwprof.programs.samples import UNKNOWN, Frame
from hwprof.records import Role, Window
from hwprof.reports.figures import flamegraph
from tests import recorded_machines
from tests.programs import programs
from tests.scripts import write_script

SCRIPT = """
my program  4711  12.000000100:    3000
\t    7f00aa inner<(int)5>(char const*) (/usr/lib/libwork.so.1)
\t    55001b main (/opt/my program)

my program  4711  12.000000200:    1000
\tffffffff81 handle_mm_fault ([kernel.kallsyms])
\t    7f00aa inner<(int)5>(char const*) (/usr/lib/libwork.so.1)
\t    55001b main (/opt/my program)

my program  4712  12.000000300:    1000
\t    7f00cc [unknown] (/tmp/jit (deleted))
"""
SVG = "{http://www.w3.org/2000/svg}"


def parsed() -> list[samples.Sample]:
    return list(samples.parse(SCRIPT.splitlines()))


def test_stacks_are_read_with_programs_and_names_that_hold_spaces_and_brackets() -> None:
    first, second, third = parsed()
    assert (first.program, first.weight, first.at_ns) == ("my program", 3000, 12_000_000_100)
    assert first.stack == (
        Frame("inner<(int)5>(char const*)", "/usr/lib/libwork.so.1"),
        Frame("main", "/opt/my program"),
    )
    assert second.stack[0] == Frame("handle_mm_fault", "[kernel.kallsyms]")
    assert third.stack == (Frame(UNKNOWN, "/tmp/jit"),)


def test_shares_are_of_weight_not_of_samples() -> None:
    rows = {h.symbol: h for h in samples.hottest(parsed())}
    inner, main = rows["inner<(int)5>(char const*)"], rows["main"]
    assert (inner.self_, inner.total, inner.samples) == (0.6, 0.8, 1)
    assert (main.self_, main.total) == (0.0, 0.8)
    assert samples.libraries(parsed())[0] == ("/usr/lib/libwork.so.1", 0.6, 1)


def test_a_recursive_function_is_not_more_than_everything() -> None:
    again = samples.Sample("p", 10, (Frame("f", "x"), Frame("f", "x"), Frame("g", "x")))
    assert max(h.total for h in samples.hottest([again])) == 1.0


def test_only_what_lies_in_a_window_belongs_to_a_case() -> None:
    window = Window(0, Role.BARE, -1, 12_000_000_150, 12_000_000_250, (1,))
    assert [s.at_ns for s in recording.samples_within(parsed(), [window])] == [12_000_000_200]


def test_the_flame_graph_is_well_formed_and_as_wide_as_the_weights() -> None:
    text = flamegraph.svg(samples.fold_stacks(parsed()), "a <b> & c")
    root = ET.fromstring(text)
    widths = {}
    for group in root.iter(f"{SVG}g"):
        title, rectangle = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None
        assert rectangle is not None
        widths[(title.text or "").partition(" (/")[0]] = float(rectangle.get("width", ""))
    whole = widths["all: 100.00 %"]
    assert widths["main"] == pytest.approx(0.8 * whole, abs=0.01)
    assert widths["inner<(int)5>(char const*)"] == pytest.approx(0.8 * whole, abs=0.01)
    assert root.findtext(f"{SVG}title") == "a <b> & c"


def test_the_same_samples_make_the_same_file_in_any_order() -> None:
    folded = samples.fold_stacks(parsed())
    assert flamegraph.svg(folded, "x") == flamegraph.svg(dict(reversed(folded.items())), "x")
    assert flamegraph.colour("/a/libx.so") == flamegraph.colour("/b/libx.so") != flamegraph.colour("/a/liby.so")


def test_a_deep_stack_needs_no_recursion() -> None:
    deep = samples.Sample("p", 1, tuple(Frame(f"f{i}", "x") for i in range(5000)))
    assert "f4999" in flamegraph.svg(samples.fold_stacks([deep]), "deep")


def test_the_x60_is_led_by_the_event_that_can_interrupt() -> None:
    assert recording.candidates(PerfCollector(recorded_machines.root("bpi-f3"))) == ["r22", "cpu-clock"]
    assert recording.candidates(PerfCollector(recorded_machines.root("xeon"))) == ["cycles", "cpu-clock"]


@pytest.mark.perf
def test_an_event_that_perf_would_replace_without_a_word_is_refused() -> None:
    with pytest.raises(NotAvailable, match="can't sample by no-such-event"):
        recording.choose(perf.program(), "no-such-event")
    assert recording.choose(perf.program(), "cpu-clock") == "cpu-clock"


@pytest.mark.perf
@pytest.mark.cc
def test_the_function_that_burns_the_cpu_is_the_hottest_in_every_thread(tmp_path: Path) -> None:
    program = programs.compiled(programs.BURN, tmp_path, "burn")
    found = recording.record_command(perf.program(), Sampling("cpu-clock"), (program, "300000000"))
    # Some 999 a second of CPU time; fewer where the kernel finds that sampling takes too long.
    assert len(found.samples) > 10
    hottest = samples.hottest(found.samples)[0]
    assert (hottest.symbol, samples.short_name(hottest.library)) == ("burn_here", "burn")
    assert hottest.self_ > 0.5
    callers = [s.stack[1].symbol for s in found.samples if s.stack[0].symbol == "burn_here" and len(s.stack) > 1]
    assert callers.count("caller_of_burn") > len(callers) / 2
    assert {f.symbol for s in found.samples for f in s.stack} >= {"main", "second"}
    assert found.ended is not None
    assert found.ended.exit_code == 0


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (
            "cache-misses: PMU Hardware doesn't support sampling/overflow-interrupts. Try 'perf stat'",
            "no interrupt .* hwprof run --events, or .* -e cpu-clock",
        ),
        ("The cache-misses event is not supported.", "hwprof events"),
        ("No permission to enable cpu-clock event.", "kernel.perf_event_paranoid"),
    ],
)
def test_the_advice_is_for_what_perf_says(tmp_path: Path, words: str, advice: str) -> None:
    refusing = write_script(tmp_path / "perf", f'printf "Error:\\n%s\\n" "{words}" >&2; exit 255')
    with pytest.raises(NotAvailable, match=f"by cache-misses here: {words[:20]}.*{advice}") as refused:
        recording.choose(str(refusing), "cache-misses")
    assert ("paranoid" in str(refused.value)) == ("permission" in words)


@pytest.mark.perf
def test_a_clock_in_the_place_of_the_event_asked_for_is_refused_and_named_otherwise(tmp_path: Path) -> None:
    falling_back = write_script(tmp_path / "perf", "test $1 = record || echo cpu-clock:uH")
    with pytest.raises(NotAvailable, match=r"by cycles here: it would take cpu-clock in its place. Omit -e"):
        recording.choose(str(falling_back), "cycles")
    assert recording.choose(str(falling_back)) == "cpu-clock:uH"


def test_missing_rights_are_one_sentence_with_a_remedy(tmp_path: Path) -> None:
    refusing = write_script(
        tmp_path / "perf",
        "echo 'Error:' >&2; echo 'Access to performance monitoring is limited.' >&2; exit 255",
    )
    with pytest.raises(NotAvailable, match=r"Access to performance.*perf_event_paranoid"):
        recording.choose(str(refusing))


NAMES = """
a.out 4711 12.000000050: PERF_RECORD_MMAP2 4711/4711: [0x55(0x10) @ 0x10 fe:00 40 26]: r-xp /opt/My App (copy)/a (/b) c
a.out 4711 12.000000060: PERF_RECORD_MMAP2 4711/4711: [0x7f0000000000(0x1000) @ 0 00:00 0 0]: r-xp /tmp/jit (deleted)
a.out 4711 12.000000070: PERF_RECORD_EXIT(4711:4711):(4711:4711)
7 12.5: 3  4711  12.000000100:    3000
\t    1191 f(int (*) [3]) (/opt/My App (copy)/a (/b) c)
\t    1192 (anonymous namespace)::g() (/tmp/jit (deleted))
\t    1193 LazyCompile:*h (x.js:3) (/tmp/perf-4711.map)
\tffff1193 entry ([kernel.kallsyms])

a
b 4711  12.000000200:    1000
\t    1194 i (/opt/of two
lines/x)
\t    1195 main (/opt/never (mapped)/x)

"""


def test_names_hold_brackets_blanks_and_figures() -> None:
    unread = samples.UnreadLines()
    first, second = samples.parse(NAMES.split("\n"), unread)
    assert (first.program, first.at_ns) == ("7 12.5: 3", 12_000_000_100)
    assert first.stack == (
        Frame("f(int (*) [3])", "/opt/My App (copy)/a (/b) c"),
        Frame("(anonymous namespace)::g()", "/tmp/jit"),
        Frame("LazyCompile:*h (x.js:3)", "/tmp/perf-4711.map"),
        Frame("entry", "[kernel.kallsyms]"),
    )
    assert (second.program, second.stack) == ("b", (Frame("main", "/opt/never (mapped)/x"),))
    assert (unread.count, unread.first) == (3, "a")


def test_frames_behind_a_line_that_is_no_sample_belong_to_no_other() -> None:
    unread = samples.UnreadLines()
    lines = [*SCRIPT.splitlines(), "", "no head of a sample", "\t    7f00aa main (/opt/x)", ""]
    assert list(samples.parse(lines, unread)) == parsed()
    assert unread.count == 2


@pytest.mark.perf
@pytest.mark.cc
def test_a_program_of_any_path_keeps_its_frames(tmp_path: Path) -> None:
    folder = tmp_path / "My App (copy)" / "with (/ and \r and \udce8"
    folder.mkdir(parents=True)
    program = programs.compiled(programs.BURN, folder, "burn (it)")
    found = recording.record_command(perf.program(), Sampling("cpu-clock"), (program, "60000000"))
    libraries = {library: share for library, share, _ in samples.libraries(found.samples)}
    assert libraries[program] > 0.5
    assert samples.hottest(found.samples)[0].symbol == "burn_here"
    assert found.unread.count == 0
    graph = flamegraph.svg(samples.fold_stacks(found.samples), "x").encode(errors="hwprof-escape")
    assert "burn_here" in "".join(ET.fromstring(graph).itertext())


def test_lines_that_were_not_understood_are_counted_and_said() -> None:
    from hwprof.reports.terminal import hotspots

    found = recording.Recording("x", parsed(), 1.0, unread=samples.UnreadLines(3, "a\tline"))
    text = " ".join(hotspots.text(found, Sampling("cycles"), 5, Path("f.svg")).split())
    assert r"3 lines of perf script were not understood, and their frames are missing. The first: a\tline" in text
    assert hotspots.document(found, Sampling("cycles"), Path("f.svg"))["unread_lines"] == 3
