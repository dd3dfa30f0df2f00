"""How to get a framework: what is installed, by which command, for which Pythons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Environment:
    """How to get the framework: distributions whose versions are recorded, and the command that installs it."""

    distributions: tuple[str, ...]
    install: str
    module: str  # what is imported to find out whether it is there
    # For an environment of its own (`hwprof env create`): pip's requirements, and the Python versions that they
    # exist for.
    requirements: tuple[str, ...] = ()
    versions: str = ""  # of the framework that the adapter can drive, as ">=5"; "": any
    alone: tuple[str, ...] = ()  # installed after them, without what they say they depend on
    pythons: str = ">=3.11,<3.14"
    # Where the conversion runs when not in the run's own environment: the name of another environment; "": the same;
    # "hwprof": hwprof's own interpreter.
    converter: str = ""
    converts_with: tuple[str, ...] = ()  # further distributions that the artifact depends on
