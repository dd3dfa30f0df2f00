"""The Markdown report has its tables in the order of the page, and a line for each part that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from hwprof.reports.background import Processes
from hwprof.reports.figures.choose import Figures
from hwprof.reports.formats import write
from hwprof.reports.html import gather
from hwprof.store import Results
from tests.factories import NETWORKS, make_run


def written(folder: Path) -> str:
    with Results.create(folder / "r.db") as results:
        for i, network in enumerate(list(NETWORKS)[:8]):
            for f, framework in enumerate(("onnxruntime", "opencv")):
                for number in range(2):
                    wobble = 1 + 0.1 * ((i * (f + 3)) % 5) + 0.001 * number
                    metrics = {"instructions": 1e8 * (i + 1), "cycles": 2e8 * (i + 1), "task-clock": 2e7,
                               "branches": 1e6 * (i + 1) * wobble}  # fmt: skip
                    results.add(
                        make_run(framework, network, fps=100.0 / (i + 1) * (2 - f), round=number, metrics=metrics)
                    )
        material = gather.gather(results)
    with Processes(0, "the figures") as none:
        figures = Figures(folder, none)
        write.begin(material, figures)
        write.write(material, folder, ["markdown"], figures)
    return (folder / "report.md").read_text()


def test_the_tables_stand_in_the_order_of_the_page(tmp_path: Path) -> None:
    titles = re.findall(r"^## (.*)$", written(tmp_path), re.MULTILINE)
    parts = ["Speed", "Every pair in its factors", "Throughput in its factors", "Correlation with FPS in onnxruntime",
             "Bottlenecks of each case", "Not in these results"]  # fmt: skip
    places = [next(i for i, title in enumerate(titles) if title.startswith(part)) for part in parts]
    assert places == sorted(places)


def test_what_is_absent_has_a_line_with_its_command(tmp_path: Path) -> None:
    last = written(tmp_path).partition("## Not in these results")[2]
    assert "- Layers: No time of any layer was recorded. `hwprof layers` records them." in last
    assert "- Energy: No energy per frame" in last
