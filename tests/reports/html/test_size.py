"""What a report of very many runs costs, without a clock: statements to the database, bytes in the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from hwprof.reports.html import page, render
from hwprof.reports.html.gather import gather
from hwprof.store import Results
from hwprof.store.reader import CHUNK_OF_FEW
from tests.factories import NETWORKS, make_run


def written(path: Path, rounds: int, metrics: int = 6) -> Path:
    """Two frameworks x eight networks x `rounds`."""
    with Results.create(path) as results:
        for n, network in enumerate(list(NETWORKS)[:8]):
            for f, framework in enumerate(("onnxruntime", "opencv")):
                for number in range(rounds):
                    wobble = 1 + 0.01 * number + 0.1 * ((n * (f + 3)) % 5)
                    values: dict[str, float | None] = {
                        f"event-{i}": 1e5 * (n + 1) ** (1 + i / 10) * wobble for i in range(metrics)
                    }
                    values["task-clock"] = 2e7 * (n + 2)
                    fps = (90 - 8 * n) * wobble
                    results.add(make_run(framework, network, fps=fps, round=number, metrics=values), None)
    return path


def made(path: Path) -> tuple[int, str]:
    """(SQL statements, the page) of a report."""
    statements: list[Any] = []
    with Results.open(path) as results:
        event.listen(results.database.engine, "before_cursor_execute", lambda *what: statements.append(what[2]))
        text = render.render(page.build(gather(results)))
    return len(statements), text


@pytest.fixture(scope="module")
def few_and_many(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[int, str], tuple[int, str]]:
    folder = tmp_path_factory.mktemp("size")
    return made(written(folder / "few.db", 2)), made(written(folder / "many.db", 8))


def test_the_database_is_asked_as_often_for_many_runs_as_for_few(
    few_and_many: tuple[tuple[int, str], tuple[int, str]],
) -> None:
    (few, _), (many, _) = few_and_many
    assert CHUNK_OF_FEW > 128  # else a chunk would end between them
    assert many == few < 450  # most of them for the bottlenecks of 16 cases


def test_a_run_more_costs_the_page_a_row_and_no_more(few_and_many: tuple[tuple[int, str], tuple[int, str]]) -> None:
    (_, few), (_, many) = few_and_many
    assert few.count('class="pt"') == many.count('class="pt"')
    # 32 and 128 runs: up to a hundred rows stand in the page, the others in the script's data
    assert (len(many) - len(few)) / 96 < 600


def test_scatters_say_what_they_have_in_common_once(tmp_path: Path) -> None:
    _, few = made(written(tmp_path / "few.db", 2, metrics=4))
    _, more = made(written(tmp_path / "more.db", 2, metrics=24))

    def shared(text: str) -> str:
        return text[text.index('id="scatters"') :].partition('"shared"')[2]

    assert shared(few).count("mobilenet_v2") == shared(more).count("mobilenet_v2") > 0
