"""What adapters declare beside the protocol: its users, and an adapter from before that declares none of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from hwprof import plugins
from hwprof.collectors.riscv import root
from hwprof.environments.environment import Environment
from hwprof.errors import NotAvailable, UsageError
from hwprof.exchange.dli import frameworks
from hwprof.frameworks.conversions import form_of, meaning, way
from hwprof.frameworks.debian import sets_of
from hwprof.frameworks.profiles.lookup import has_profile, profile_of
from hwprof.frameworks.switches import SWITCHED, Switch, change_of, kind_of, limit_of, switch_of
from tests.factories import make_case


class Plain:
    """An adapter of before: what every one must have, as far as it is asked for here."""

    name, consumes, precisions = "plain", ("zap",), ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"spin": (False, True)}
    environment = Environment(("plain",), "pip install plain", "plain")


class Rich(Plain):
    """The same with switches; it waits without spinning unless asked to."""

    name = "rich"
    switches: Mapping[str, Switch] = {"spin": Switch({"spin": False}), "simd": Switch({"env.NARROW": "1"}, "some stay")}


PLAIN, RICH = Plain(), Rich()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are frameworks, and so is one whose package can't be imported any more."""
    known = {**plugins.paths("hwprof.frameworks"), "plain": f"{__name__}:PLAIN", "rich": f"{__name__}:RICH"}
    known["gone"] = "a_package_that_is_gone:ADAPTER"
    monkeypatch.setattr(plugins, "paths", lambda group: known)


def test_an_adapter_without_declarations_is_refused_in_words_where_they_are_needed() -> None:
    adapter: Any = PLAIN
    assert change_of("spin", make_case("plain", threads=2)) == "plain has no switch for spin-waiting that hwprof knows"
    assert not has_profile(adapter)
    with pytest.raises(NotAvailable, match="plain reports no time per layer"):
        profile_of(adapter)


def test_an_adapter_without_conversions_is_one_step() -> None:
    adapter: Any = PLAIN
    (step,) = way(adapter) or ()
    assert (step.source, step.target, step.by) == ("onnx", "zap", "plain: its adapter")
    assert (form_of(adapter), meaning(adapter)) == ("zap", "")


def test_a_switch_changes_a_case_and_the_changed_case_is_recognised() -> None:
    for kind, options in (("spin", {"spin": True}), ("simd", {})):
        base = make_case("rich", threads=2, options=options)
        more = change_of(kind, base)
        assert not isinstance(more, str)
        assert kind_of(base, make_case("rich", threads=2, options={**options, **more})) == kind
    assert limit_of("simd", "rich") == "some stay"
    assert limit_of("spin", "rich") == ""


def test_a_default_that_is_off_already_is_no_intervention() -> None:
    assert change_of("spin", make_case("rich", threads=2)) == "it doesn't spin unless asked to"
    assert change_of("simd", make_case("rich", options={"env.NARROW": "1"})) == "it is so already"


@pytest.mark.parametrize("kind", SWITCHED)
@pytest.mark.parametrize("framework", ["caffe", "opencv5"])
def test_frameworks_on_opencv_have_its_switches(framework: str, kind: str) -> None:
    assert switch_of(kind, framework) == switch_of(kind, "opencv") is not None


def test_a_format_that_opencv_reads_needs_its_debian_package() -> None:
    assert sets_of(["caffe"]) == sets_of(["opencv"])


@pytest.mark.parametrize("framework", ["gone", "never-there"])
def test_results_of_a_framework_that_is_gone_have_no_switch(framework: str) -> None:
    assert not any(switch_of(kind, framework) for kind in SWITCHED)
    base, other = make_case(framework, options={"spin": True}), make_case(framework, options={"spin": False})
    assert kind_of(base, other) == ""


def test_one_broken_package_takes_no_other_framework_with_it() -> None:
    assert "rich" not in plugins.declarations("debian")
    assert sets_of(["opencv"])
    assert frameworks()["ONNX Runtime Python"] == ("onnxruntime", "")


def test_a_framework_is_named_by_itself_or_by_its_module() -> None:
    assert sets_of(["torch"]) == sets_of(["pytorch"])
    with pytest.raises(UsageError, match=r"Unknown package set 'plain'.*onnxruntime"):
        sets_of(["plain"])
    with pytest.raises(UsageError, match="No riscv64 package or wheel of plain"):
        root.packages("plain")


def test_the_measured_process_loads_an_adapter_and_no_reader_of_profiles() -> None:
    program = (
        "import sys; import hwprof.frameworks.opencv, hwprof.frameworks.onnxruntime, hwprof.frameworks.mxnet;"
        "print([n for n in sys.modules if n.endswith('.profile') or n in ('hwprof.plugins', 'importlib.metadata')])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
