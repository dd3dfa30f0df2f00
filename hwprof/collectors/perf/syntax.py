"""The syntax of `perf stat -e`: lists of names, groups in braces, and modifiers behind a name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hwprof.errors import UsageError

_MODIFIERS = re.compile(r"[a-zA-Z]{1,4}")


def split(text: str) -> Iterator[str]:
    """Items of a list separated by commas, where commas inside `{...}` and `pmu/.../` separate nothing."""
    item, braces, slashed = "", 0, False
    for letter in text:
        if letter == "/":
            slashed = not slashed
        elif letter == "{" and not slashed:
            braces += 1
        elif letter == "}" and not slashed:
            braces -= 1
        if letter == "," and not slashed and braces == 0:
            yield item.strip()
            item = ""
        else:
            item += letter
        if braces not in (0, 1):
            break
    if slashed or braces:
        raise UsageError(
            f"'{text}': a brace or slash is not closed", "write {a,b} for a group, pmu/term=1/ for a PMU's event"
        )
    yield item.strip()


def split_modifiers(name: str) -> tuple[str, str]:
    """(name without modifiers, modifiers in the order u, k, h). `cpu/.../u` and `name:u` are the same."""
    if "/" in name:
        head, _, tail = name.rpartition("/")
        base, letters = f"{head}/", tail.removeprefix(":")
    else:
        base, colon, letters = name.rpartition(":")
        if not colon or not base or not _MODIFIERS.fullmatch(letters) or set(letters) - set("ukhGHpPSDIWeb"):
            return name, ""
    if wrong := set(letters) - set("ukh"):
        raise UsageError(
            f"'{name}': modifier '{''.join(sorted(wrong))}' is not supported",
            "u, k and h count in user, kernel, hypervisor",
        )
    return base, "".join(m for m in "ukh" if m in letters)
