"""Picks values from what tests/truth/parts.py returns."""

from __future__ import annotations

from typing import Any


def readings(counted: dict[str, Any], event: str) -> list[dict[str, Any]]:
    """The event's reading for each amount of work, from the first pass that has it."""
    assert event not in counted["unavailable"], counted["unavailable"]
    return [next(p[event] for p in passes if event in p) for passes in counted["counts"]]


def values(counted: dict[str, Any], event: str) -> list[float]:
    """Values only."""
    return [r["value"] for r in readings(counted, event)]


def more(counted: dict[str, Any], event: str) -> float:
    """What the second amount of work added to the first: what is constant cancels."""
    first, second = values(counted, event)[:2]
    return second - first
