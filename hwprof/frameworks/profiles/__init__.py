"""What frameworks tell of the time of their steps, and what their readers share.

A framework that tells it has an adapter with a method `profile(artifact, case, spec)`, which loads a network with
profiling on; one that tells none may say why in `no_profile`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hwprof.errors import NotAvailable

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter, Profiled
    from hwprof.networks.graph import InputSpec
    from hwprof.records import Case

    Profile = Callable[[Path, Case, InputSpec], AbstractContextManager[Profiled]]


def tells(adapter: Adapter) -> bool:
    """Whether the framework tells its steps."""
    return hasattr(adapter, "profile")


def profile_of(adapter: Adapter) -> Profile:
    """What loads a network of this framework for profiling. Raises NotAvailable where it tells nothing."""
    if tells(adapter):
        return cast("Profile", adapter.profile)  # type: ignore[attr-defined]
    from hwprof import plugins  # not at import: an adapter may import `timed`, and the measured worker with it

    reason = f": {why}" if (why := getattr(adapter, "no_profile", "")) else ""
    raise NotAvailable(
        f"{adapter.name} tells no time per layer{reason}", f"{', '.join(plugins.declared('profile'))} do"
    )
