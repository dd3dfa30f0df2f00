"""Every report of the terminal offers the same two functions."""

from __future__ import annotations

import importlib
import inspect

import pytest

MODULES = (
    "accuracy",
    "bottlenecks",
    "command",
    "comparison",
    "explain",
    "hotspots",
    "layers",
    "matrix",
    "models",
    "run",
    "scaling",
    "tuning",
)


@pytest.mark.parametrize("name", MODULES)
def test_a_report_is_text_and_a_document(name: str) -> None:
    module = importlib.import_module(f"hwprof.reports.terminal.{name}")
    assert inspect.signature(module.text).return_annotation == "str"
    assert inspect.signature(module.document).return_annotation in ("dict[str, Any]", "list[dict[str, Any]]")
