"""The page: self-contained, escaped, every section there or excused, the pictures' geometry right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from hwprof.records import Ceiling, Origin, Run, Series
from hwprof.reports.html import gather, page, render
from hwprof.reports.html.model import Page, Section
from hwprof.reports.html.svg import Axis, Svg, axis, short
from hwprof.store import Results, schema
from tests.factories import HOST_STATE, NETWORKS, START_NS, make_run, make_simulated_run

TOPDOWN = {"topdown-retiring": 4e6, "topdown-bad-spec": 1e6, "topdown-fe-bound": 2e6, "topdown-be-bound": 3e6}


def runs(**fields: object) -> list[Run]:
    metrics = {"instructions": 1e8, "branches": 1e6, "task-clock": 2e7, "energy": 0.5, **TOPDOWN}
    return [
        make_run(f, n, fps=100.0 / (i + 1) * speed, round=number, metrics=metrics, **fields)  # type: ignore[arg-type]
        for i, n in enumerate(list(NETWORKS)[:3])
        for f, speed in (("onnxruntime", 2.0), ("opencv", 1.0))
        for number in range(2)
    ]


def built(path: Path, measured: list[Run], extras: bool = False) -> Page:
    with Results.create(path) as results:
        for run in measured:
            results.add(run)
        if extras:
            results.database.write(_extras)
            cpus = measured[0].case.cpus
            found = [Ceiling("fp32", "avx2", cpus, 5e11, "op/s"), Ceiling("bandwidth", "DRAM", cpus, 2e10, "B/s")]
            results.add_ceilings(measured[0].machine, measured[0].host_state, found)
        return page.build(gather.gather(results))


def _extras(connection: object) -> None:
    run = connection.scalar(select(schema.run.c.id))  # type: ignore[attr-defined]
    layers = [
        {"run_id": run, "idx": i, "node": f"conv{i}", "op": "Conv", "ns": 10**6 * (i + 1), "macs": 10**6}
        for i in range(40)
    ]
    connection.execute(insert(schema.layer), layers)  # type: ignore[attr-defined]


def section(made: Page, key: str) -> Section:
    return next(s for s in made.sections if s.key == key)


ORDER = (
    *(
        "speed",
        "configurations",
        "factors",
        "with-fps-0",
        "bottlenecks",
        "layers",
        "energy",
        "over-time",
        "machine",
        "doubts",
        "runs",
    ),
    "glossary",
)


def test_the_evidence_stands_in_the_order_of_the_answer(tmp_path: Path) -> None:
    made = built(tmp_path / "r.db", runs(), extras=True)
    assert [s.key for s in made.sections if s.level == 2] == list(ORDER)
    assert [key for key, _ in made.contents] == [s.key for s in made.sections if s.level == 2 and not s.is_absent]
    text = render.render(made)
    places = [text.index(f'<section id="{key}">') for key, _ in made.contents]
    assert places == sorted(places)


def test_what_is_absent_is_a_line_with_the_command_that_fills_it_and_no_section(tmp_path: Path) -> None:
    made = built(tmp_path / "r.db", [make_run(fps=10.0, metrics={})])
    for key, command in {
        "factors": "hwprof sweep quick",
        "layers": "hwprof layers",
        "energy": "hwprof doctor",
        "timeline": "hwprof doctor",
        "bottlenecks": "hwprof run -e topdown",
    }.items():
        assert any(command in line for line in section(made, key).absent), key
        assert all("\n" not in line for line in section(made, key).absent)
    assert "power sensor" in section(made, "energy").absent[0]
    text = render.render(made)
    for key in ("factors", "layers", "energy", "timeline"):
        assert section(made, key).is_absent, key
        assert f'<div class="none-of" id="{key}">' in text
        assert f'<section id="{key}">' not in text
        assert key not in dict(made.contents)
    assert "<code>hwprof layers</code>" in text


def test_a_clock_that_was_sampled_is_not_called_missing(tmp_path: Path) -> None:
    at = tuple(START_NS + i * 10**9 for i in range(4))
    clock = Series("cpu-frequency", "Hz", "cpu0", "cpufreq", Origin.KERNEL, False, 0, at, (1e9, 1.1e9, 1e9, 1e9))
    absent = section(built(tmp_path / "r.db", [make_run(series=[clock])]), "timeline").absent
    assert [line.partition(":")[0] for line in absent] == ["No power", "No temperature"]


def test_what_is_there_is_drawn(tmp_path: Path) -> None:
    made = built(tmp_path / "r.db", runs(), extras=True)
    assert [f.key for f in section(made, "bottlenecks").figures] == ["topdown", "roofline"]
    assert [f.key for f in section(made, "energy").figures] == ["energy-fps"]
    (layers,) = section(made, "layers").figures
    assert len(layers.rows) == 40
    assert "10 others" in layers.svg
    (waterfall,) = section(made, "factors").figures
    assert waterfall.title.startswith("onnxruntime is 2.00x")
    assert [row[0] for row in waterfall.rows][-1] == "FPS"
    assert host_named(made)


def host_named(made: Page) -> bool:
    facts = section(made, "machine").tables[0].rows
    return ("kernel", str(HOST_STATE["kernel"])) in facts


def test_factors_of_a_waterfall_multiply_to_the_ratio(tmp_path: Path) -> None:
    (waterfall,) = section(built(tmp_path / "r.db", runs()), "factors").figures
    product = 1.0
    for row in waterfall.rows[:-1]:
        assert isinstance(row[1], float)
        product *= row[1]
    assert product == pytest.approx(waterfall.rows[-1][1], rel=1e-9)


def test_the_file_refers_to_nothing_outside_and_escapes_names(tmp_path: Path) -> None:
    nasty = '</script><svg onload="x">&\u2028'
    made = built(tmp_path / "r.db", [*runs(), make_run("onnxruntime", nasty, fps=3.0, metrics={})])
    text = render.render(made)
    assert set(re.findall(r"https?://[^\"'\s<>)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:link|script|img)[^>]*(?:src|href)=\"(?!data:)", text)
    assert "<svg onload" not in text
    assert nasty not in text
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL):
        json.loads(block)


def test_marks_reach_the_page(tmp_path: Path) -> None:
    emulated = runs(host_state={**HOST_STATE, "emulated": True})
    text = render.render(built(tmp_path / "e.db", emulated))
    assert re.search(r'<td class="mark">[^<]*EMULATED', text)
    assert "hollow s0" in text
    measured = [*runs(), *(make_simulated_run("opencv", n, metrics={"loads": 1e6}) for n in list(NETWORKS)[:3])]
    assert re.search(r'<td class="mark">SIMULATED', render.render(built(tmp_path / "s.db", measured)))


def test_a_long_table_is_paged_and_whole(tmp_path: Path) -> None:
    measured = [make_run("opencv", "alexnet", fps=10.0, round=i, metrics={}) for i in range(130)]
    text = render.render(built(tmp_path / "r.db", measured))
    block = text[text.index('<h3 class="title">Every run</h3>') :]
    assert block.count("<tr>") - 1 == 100
    stored = re.search(r'<script type="application/json">(.*?)</script>', block, re.DOTALL)
    assert stored
    assert len(json.loads(stored[1])["rows"]) == 130


def test_axes_put_round_ticks_where_values_are() -> None:
    linear = Axis(0, 10, 100, 200)
    assert linear.at(5) == 150
    assert linear.ticks(5) == [0, 2, 4, 6, 8, 10]
    logs = Axis(1, 100, 0, 200, log=True)
    assert logs.at(10) == pytest.approx(100)
    assert logs.ticks(6) == [1, 2, 5, 10, 20, 50, 100]
    assert logs.ticks(5) == [1, 3, 10, 30, 100]
    assert axis([0.0, 5.0], 0, 100, zero=True).low == 0
    assert [short(v) for v in (0, 1234, 2.5e6, 0.0001)] == ["0", "1.234k", "2.5M", "1e-04"]


def test_text_in_a_picture_is_escaped() -> None:
    draw = Svg(10, 10, 'a "b" <c>')
    draw.text(0, 0, "<script>")
    draw.marker(1, 1, 0, "x & y")
    made = draw.render()
    assert "<script>" not in made
    assert "&lt;script&gt;" in made
    assert "<title>x &amp; y</title>" in made
