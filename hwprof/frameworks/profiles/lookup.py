"""Which framework reports the time of its steps, and what loads a network for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hwprof.errors import NotAvailable

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter, Profiled
    from hwprof.networks.inputs import InputSpec
    from hwprof.records import Case

    Profile = Callable[[Path, Case, InputSpec], AbstractContextManager[Profiled]]


def has_profile(adapter: Adapter) -> bool:
    """Whether the framework reports the time of its steps."""
    return hasattr(adapter, "profile")


def profile_of(adapter: Adapter) -> Profile:
    """The function that loads a network of this framework for profiling. Raises NotAvailable where there is none."""
    if has_profile(adapter):
        return cast("Profile", adapter.profile)  # type: ignore[attr-defined]
    from hwprof import plugins  # not at import: an adapter may import `timed`, and the measured worker with it

    reason = f": {why}" if (why := getattr(adapter, "no_profile", "")) else ""
    raise NotAvailable(
        f"{adapter.name} reports no time per layer{reason}", f"{', '.join(plugins.declarations('profile'))} do"
    )
