"""How each framework tells the time of its steps. One module per framework; its `profile` loads a network with it on.

An adapter from elsewhere has a method `profile` of the same arguments and meaning.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hwprof.errors import NotAvailable

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter, InputSpec, Profiled
    from hwprof.records import Case

    Profile = Callable[[Path, Case, InputSpec], AbstractContextManager[Profiled]]

BUILT_IN = (
    "onnxruntime",
    "openvino",
    "opencv",
    "opencv5",
    "caffe",
    "pytorch",
    "tvm",
    "ncnn",
    "mnn",
    "mxnet",
    "executorch",
    "litert",
)
# Why the others can't.
REASONS = {
    "tensorflow": "its profiler traces threads and kernels of a fused function, not layers",
}
SAME = {"opencv5": "opencv", "caffe": "opencv"}


def tells(adapter: Adapter) -> bool:
    """Whether the framework tells its steps."""
    return adapter.name in BUILT_IN or hasattr(adapter, "profile")


def profile_of(adapter: Adapter) -> Profile:
    """What loads a network of this framework for profiling. Raises NotAvailable where it tells nothing."""
    if (own := getattr(adapter, "profile", None)) is not None:
        return cast("Profile", own)
    if adapter.name not in BUILT_IN:
        reason = f": {REASONS[adapter.name]}" if adapter.name in REASONS else ""
        raise NotAvailable(f"{adapter.name} tells no time per layer{reason}", f"{', '.join(BUILT_IN)} do")
    module = importlib.import_module(f"{__name__}.{SAME.get(adapter.name, adapter.name)}")

    def profile(artifact: Path, case: Case, spec: InputSpec) -> AbstractContextManager[Profiled]:
        return cast("AbstractContextManager[Profiled]", module.profile(adapter, artifact, case, spec))

    return profile
