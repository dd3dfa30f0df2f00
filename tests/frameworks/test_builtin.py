"""What hwprof's own adapters share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from hwprof import plugins
from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.builtin import import_of, reason_of
from hwprof.networks.inputs import InputSpec
from tests.factories import make_case


def test_a_reason_is_one_line_of_an_exception() -> None:
    error = ValueError("\n  Traceback\n  File\nTVMError: no such axis\n\n")
    assert reason_of(error) == "Traceback"
    assert reason_of(error, -1) == "TVMError: no such axis"


def test_an_exception_without_text_is_named_by_its_class() -> None:
    assert reason_of(ValueError(" \n"), -1) == "ValueError"


def test_a_framework_that_fails_without_a_word_is_an_unsupported_model(monkeypatch: pytest.MonkeyPatch) -> None:
    ort = pytest.importorskip("onnxruntime")

    def fail(*arguments: Any, **named: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(ort, "InferenceSession", fail)
    spec = InputSpec("x", (1, 3, 8, 8))
    loaded = plugins.adapter("onnxruntime").load(Path("network.onnx"), make_case("onnxruntime"), spec)
    with pytest.raises(UnsupportedModel, match="ONNX Runtime can't load the network: RuntimeError"), loaded:
        pass


def test_what_can_not_be_imported_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "colorsys", None)
    with pytest.raises(NotInstalled, match="colours"), import_of("colours", "pip install colours"):
        import colorsys  # noqa: F401


def test_other_errors_of_an_import_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError), import_of("nothing", "pip install nothing"):
        raise ZeroDivisionError
