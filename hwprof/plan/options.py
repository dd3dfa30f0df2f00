"""The syntax of events, options and keys that experiment files, declarations and the command line share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hwprof.errors import BadExperiment, UsageError

# Options of this prefix are variables of the worker's environment: env.OPENCV_CPU_DISABLE=AVX2
ENVIRONMENT = "env."


def split_events(texts: list[str] | None) -> tuple[str, ...]:
    """All -e arguments as one list of event words; groups {a,b} and PMU terms cpu/x=1,y=2/ keep their commas."""
    words: list[str] = []
    for text in texts or ["auto"]:
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


def parse_options(texts: Iterable[str]) -> tuple[tuple[str, Any], ...]:
    """Options as a case has them: sorted by name."""
    return tuple(sorted(parse_option(text) for text in texts))


def parse_option(text: str) -> tuple[str, Any]:
    """`spin=false` -> ("spin", False); numbers and booleans of any case are recognised, everything else is text.

    A variable of the process (`env.NAME`) keeps its text where that is no "true", "false" or whole number as written.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"option '{text}'", "as in --option mode=eager")
    word = value if name.startswith(ENVIRONMENT) else value.lower()
    if word in ("true", "false"):
        return name, word == "true"
    try:
        return name, int(value)
    except ValueError:
        return name, value


def option_text(value: Any) -> str:
    """A value as it is typed: booleans as in TOML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_among(value: Any, known: Iterable[Any]) -> bool:
    """Whether an option may have this value; 1 is not true, though Python takes them for equal."""
    return any(value == v and isinstance(value, bool) == isinstance(v, bool) for v in known)


def check_value(owner: str, name: str, value: Any, known: Sequence[Any]) -> None:
    """Raise UsageError where an option of `owner` may not have this value."""
    if not is_among(value, known):
        shown = repr(value) if isinstance(value, str) else option_text(value)
        raise UsageError(f"{owner} knows no {name} = {shown}", f"one of: {', '.join(map(option_text, known))}")


def check_option(
    owner: str, name: str, value: Any, known: Mapping[str, Sequence[Any]], none: str = "none", also: str = ""
) -> None:
    """Raise UsageError for an option or value that `owner` lacks. `none`, `also`: words of the list of options."""
    if name not in known:
        raise UsageError(f"{owner} has no option '{name}'", f"it knows: {', '.join(sorted(known)) or none}{also}")
    check_value(owner, name, value, known[name])


def check_keys(table: Iterable[str], known: Sequence[str], origin: str, section: str = "") -> None:
    """Raise BadExperiment for the first key of a TOML table that is not known."""
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            where = f" in [{section}]" if section else ""
            raise BadExperiment(f"{origin}: unknown key '{key}'{where}", hint)
