"""Accuracy over drawn images whose classes are known, by real workers, with disagreements that were planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from hwprof.cli import main
from hwprof.runner.launcher import Launcher
from hwprof.runner.worker_process import Outcome
from hwprof.worker.untimed import top_classes
from tests.conftest import AddFramework
from tests.studies.accuracy import colours

COUNT = colours.CLASSES * colours.EACH


@pytest.fixture
def drawn(tmp_path: Path, cache: Path, add_framework: AddFramework) -> Path:
    """mine.onnx and val/ with a folder per class; the framework "noblue" beside the built-in ones."""
    colours.write_network(tmp_path / "mine.onnx")
    colours.draw(tmp_path / "val")
    add_framework("noblue", Path(colours.__file__))
    return tmp_path


def call(folder: Path, *words: str) -> int:
    plain = ("--images", str(folder / "val"), "-n", str(folder / "mine.onnx"), "--mean", "0", "--std", "1", "-b", "5")
    return main(["accuracy", *plain, *words])


def told(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert call(folder, "--json", *words) == 0
    return json.loads(capsys.readouterr().out)


def test_known_images_are_classified_as_they_were_drawn(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(drawn, capsys, "-f", "onnxruntime,opencv")
    assert [(s["name"], s["top1"]["right"], s["top1"]["of"]) for s in found["scores"]] == [
        ("onnxruntime fp32", COUNT, COUNT),
        ("opencv fp32", COUNT, COUNT),
    ]
    assert found["scores"][0]["top5_share"] == 1.0
    assert found["pairs"][0]["agreement"] == 1.0
    assert found["pairs"][0]["p"] == 1.0
    assert found["verdict"].startswith("Too few images")


def test_a_planted_disagreement_is_found_by_mcnemars_test(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(drawn, capsys, "-f", "onnxruntime,noblue")
    assert [s["top1"]["right"] for s in found["scores"]] == [COUNT, COUNT - colours.EACH]
    (pair,) = found["pairs"]
    assert (pair["only_first"], pair["only_second"]) == (colours.EACH, 0)
    assert pair["p"] == pytest.approx(stats.binomtest(0, colours.EACH, 0.5).pvalue)
    assert pair["agreement"] == pytest.approx(1 - 1 / colours.CLASSES)
    assert pair["difference"] == pytest.approx(-1 / colours.CLASSES)


def test_labels_in_a_file_give_the_same_as_folders(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{p.relative_to(drawn / 'val')} {int(p.parent.name) + 1}" for p in sorted((drawn / "val").rglob("*.*"))]
    (drawn / "labels.txt").write_text("\n".join(lines))
    found = told(drawn, capsys, "--labels", str(drawn / "labels.txt"), "--first-class", "1", "--limit", "16")
    assert (found["scores"][0]["top1"]["right"], found["images"]) == (16, 16)


def test_a_broken_image_is_named_and_left_out_or_refused(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (drawn / "val" / "3" / "0.jpg").read_bytes()
    (drawn / "val" / "3" / "zz.jpg").write_bytes(whole[: len(whole) // 2])
    assert call(drawn) == 0
    shown = capsys.readouterr()
    assert "3/zz.jpg: image file is truncated" in shown.err
    assert "1 broken image left out of every count: zz.jpg" in shown.out
    assert f"{COUNT} images" in shown.out
    assert call(drawn, "--strict") == 2
    assert f"broken: 1 of {COUNT + 1} images" in capsys.readouterr().err


def test_answers_that_are_not_finite_are_wrong_and_said(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(drawn, "-f", "noblue:numb=true") == 0
    shown = capsys.readouterr().out
    assert "0.00 %" in shown
    assert f"{COUNT} answers not finite, counted as wrong" in " ".join(shown.split())


def test_nothing_is_asked_twice(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(drawn) == 0
    started: list[str] = []
    right = Launcher.run

    def counted(self: Launcher, job: Any, *args: Any, **fields: Any) -> Outcome:
        started.append(job.task.value)
        return right(self, job, *args, **fields)

    monkeypatch.setattr(Launcher, "run", counted)
    assert call(drawn) == 0
    assert started == []
    assert call(drawn, "--mean", "0.1") == 0  # the crops are the same, the answers are not
    assert started == ["predict"]
    image = next((drawn / "val" / "0").iterdir())
    image.write_bytes((drawn / "val" / "1" / "1.png").read_bytes())
    assert call(drawn) == 0
    assert started[1:] == ["images", "predict"]


def test_a_precision_that_one_framework_lacks_costs_that_one(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(drawn, "--precision", "fp32,fp16") == 4
    shown = capsys.readouterr()
    assert "onnxruntime computes no fp16 here" in shown.err
    assert "onnxruntime fp32" in shown.out
    assert call(drawn, "--precision", "fp17") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mean", "0,0"), "3 numbers, one per channel"),
        (("--std", "0"), "3 numbers above 0"),
        (("--resize", "16"), "less than the crop of 32"),
        (("--decoder", "turbo"), "No decoder 'turbo'"),
        (("--limit", "-1"), "--limit must be a whole number from 0"),
        (("--labels", "nowhere.txt"), "nowhere.txt: No such file"),
        (("-f", "onyxruntime"), "Did you mean onnxruntime"),
    ],
)
def test_wrong_words_are_refused_in_a_line(
    words: tuple[str, ...], said: str, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(drawn, *words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_equal_outputs_go_to_the_first_class() -> None:
    outputs = np.array([[1, 2, 2, 0, 0, 0], [np.nan, 1, 2, 3, 4, 5]], np.float32)
    assert top_classes(outputs).tolist() == [[1, 2, 0, 3, 4], [-1] * 5]
    assert top_classes(np.array([[0, 1]], np.float32)).tolist() == [[1, 0, -1, -1, -1]]
