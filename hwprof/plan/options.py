"""The syntax of events and of framework options, as experiments, the matrix and the command line share it."""

from __future__ import annotations

from typing import Any

from hwprof.errors import UsageError


def split_events(given: list[str] | None) -> tuple[str, ...]:
    """All -e arguments as one list of event words; groups {a,b} and PMU terms cpu/x=1,y=2/ keep their commas."""
    words: list[str] = []
    for text in given or ["auto"]:
        depth, slash, word = 0, False, ""
        for letter in text:
            if letter == "," and depth == 0 and not slash:
                words.append(word)
                word = ""
                continue
            depth += (letter == "{") - (letter == "}")
            slash ^= letter == "/"
            word += letter
        words.append(word)
    words = [word.strip() for word in words]
    if not all(words):
        raise UsageError("an empty event name", "as in -e cycles,instructions")
    return tuple(words)


def parse_option(text: str) -> tuple[str, Any]:
    """`spin=false` -> ("spin", False); numbers and booleans are recognised, everything else is text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"option '{text}'", "as in --option mode=eager")
    plain: dict[str, Any] = {"true": True, "false": False}
    if value in plain:
        return name, plain[value]
    try:
        return name, int(value)
    except ValueError:
        return name, value
