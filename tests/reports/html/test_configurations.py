"""The charts of configurations: FPS against batch per precision, energy beside it, and the best of each framework."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from hwprof.analysis.configurations.need import parse
from hwprof.cli import need as cli
from hwprof.records import Run
from hwprof.reports.html import configurations, gather, page, render
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Section
from hwprof.store import Results
from tests.analysis.configurations.planted import WRONG, groups, rounds


def ways(**fields: object) -> list[Run]:
    """int8 is twice as fast as fp32 with one thread; FPS grow with the batch."""
    return [
        run
        for precision, factor in (("fp32", 1.0), ("int8", 2.0))
        for threads in (1, 2)
        for batch, fps in ((1, 100.0), (2, 130.0), (4, 150.0))
        for run in rounds(
            [fps * factor * step / threads for step in (1.0, 1.01, 0.99)], precision, threads, batch, **fields
        )
    ]


def material(path: Path, runs: list[Run], need: str = "") -> Material:
    with Results.create(path) as results:
        for run in runs:
            results.add(run)
        found = gather.gather(results)
    return cli.answer(cli.NeedOptions(parse(need)), found) if need else found


def section(found: Material, key: str) -> Section | None:
    return next((s for s in page.build(found).sections if s.key == key), None)


def test_a_chart_of_batches_has_a_line_per_precision_at_the_threads_of_the_best(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, ways())
    (figure,) = configurations.batch_charts([group])
    assert figure.title == "FPS against batch: squeezenet1_1 in onnxruntime, 1 thread"
    assert {(row[2], row[3], row[4]) for row in figure.rows} == {(p, 1, b) for p in ("fp32", "int8") for b in (1, 2, 4)}
    paths = [
        e.attrib["class"] for e in ElementTree.fromstring(figure.svg).iter() if e.attrib.get("class", "")[:4] == "path"
    ]
    assert paths == ["path s0", "path s1"]
    whiskers = [e for e in ElementTree.fromstring(figure.svg).iter() if e.attrib.get("class", "").startswith("bar ")]
    assert len(whiskers) == 6


def test_energy_per_frame_is_beside_it_where_each_point_has_it(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, ways(metrics={"energy": 0.05}))
    fps, energy = configurations.batch_charts([group])
    assert energy.title == "Energy per frame against batch: squeezenet1_1 in onnxruntime, 1 thread"
    assert len(energy.rows) == len(fps.rows)


def test_one_batch_has_no_line(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, [*rounds([100.0, 101.0]), *rounds([150.0, 151.0], precision="int8")])
    assert configurations.batch_charts([group]) == []


def test_many_networks_have_charts_up_to_a_limit_and_a_line_for_the_rest(tmp_path: Path) -> None:
    networks = [f"cnn_{number:02d}" for number in range(configurations.MOST + 1)]
    runs = [run for name in networks for b in (1, 2) for run in rounds([10.0 * b], batch=b, network=name)]
    shown = section(material(tmp_path / "r.db", runs), configurations.KEY)
    assert shown is not None
    assert len(shown.figures) == 1 + configurations.MOST
    assert shown.absent[0] == "No chart of batches for 1 more pair of framework and network."


def test_charts_fit_on_a_phone(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, ways(metrics={"energy": 0.05}))
    for figure in configurations.figures_of([group]):
        assert float(ElementTree.fromstring(figure.svg).attrib["width"]) <= 350


def test_the_best_chart_names_the_configuration_and_its_ties(tmp_path: Path) -> None:
    runs = [*rounds([100.0, 101.0, 102.0]), *rounds([100.5, 101.5, 100.0], batch=2)]
    runs += [*rounds([300.0, 301.0, 299.0], precision="int8", framework="opencv", threads=2)]
    (figure,) = configurations.best_charts(groups(tmp_path, runs))
    texts = [e.text or "" for e in ElementTree.fromstring(figure.svg).iter() if e.tag.endswith("text")]
    assert "300 FPS: int8, 2 threads, batch 1" in texts
    assert any(text.endswith("(tied: 1)") for text in texts)
    assert [row[2] for row in figure.rows] == ["opencv", "onnxruntime"]


def test_the_page_has_the_best_configurations_behind_the_speeds(tmp_path: Path) -> None:
    found = material(tmp_path / "r.db", ways())
    keys = [s.key for s in page.build(found).sections]
    assert keys[keys.index("speed") + 1] == configurations.KEY
    shown = section(found, configurations.KEY)
    assert shown is not None
    assert [t.title for t in shown.tables] == ["Best configurations", "Every configuration against the best"]
    assert shown.tables[0].rows[0][:4] == ("squeezenet1_1", "onnxruntime", "int8 t1 b4", "300")
    assert len(shown.tables[1].rows) == 12
    (line,) = shown.absent
    assert line.startswith("No energy per frame")
    text = render.render(page.build(found))
    assert 'id="best"' in text
    assert 'id="batch-0"' in text


def test_one_configuration_each_is_one_line(tmp_path: Path) -> None:
    shown = section(material(tmp_path / "r.db", rounds([100.0, 101.0])), configurations.KEY)
    assert shown is not None
    assert (shown.figures, shown.tables, len(shown.absent)) == ((), (), 1)
    assert "hwprof sweep" in shown.absent[0]


def test_an_excluded_one_is_listed_with_its_mark(tmp_path: Path) -> None:
    runs = [*rounds([100.0, 101.0, 102.0]), *rounds([900.0, 901.0, 902.0], precision="int8", fidelity=WRONG)]
    shown = section(material(tmp_path / "r.db", runs), configurations.KEY)
    assert shown is not None
    assert [row[-1] for row in shown.tables[1].rows] == ["best", "UNFAITHFUL"]
    assert "Never best, but listed: 1 configuration, disturbed or UNFAITHFUL." in shown.words


def test_a_need_is_on_the_page_only_when_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert section(material(tmp_path / "a" / "r.db", ways()), "need") is None
    shown = section(material(tmp_path / "r.db", ways(), "fps>=250, power<=5W"), "need")
    assert shown is not None
    assert shown.title == "What meets fps >= 250, power <= 5 W"
    assert shown.tables[0].header[4:6] == ("fps >= 250", "power <= 5 W")
    assert "hwprof doctor" in [row[0] for row in shown.tables[1].rows]
