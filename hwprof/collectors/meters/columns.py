"""The columns of a meter's log by their heads: what each is, and the prefix of its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PREFIXES: Mapping[str, float] = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "K": 1e3}
SYMBOLS: Mapping[str, str] = {"W": "power", "V": "volts", "A": "amperes", "s": "time"}
WORDS: Mapping[str, tuple[str, float]] = {
    **dict.fromkeys(("watt", "watts"), ("power", 1.0)),
    **dict.fromkeys(("milliwatt", "milliwatts"), ("power", 1e-3)),
    **dict.fromkeys(("volt", "volts"), ("volts", 1.0)),
    **dict.fromkeys(("millivolt", "millivolts"), ("volts", 1e-3)),
    **dict.fromkeys(("amp", "amps", "ampere", "amperes"), ("amperes", 1.0)),
    **dict.fromkeys(("milliamp", "milliamps", "milliampere", "milliamperes"), ("amperes", 1e-3)),
    **dict.fromkeys(("sec", "second", "seconds"), ("time", 1.0)),
    **dict.fromkeys(("millisecond", "milliseconds"), ("time", 1e-3)),
    **dict.fromkeys(("microsecond", "microseconds"), ("time", 1e-6)),
}
NAMES: Mapping[str, str] = {
    **dict.fromkeys(("power", "p"), "power"),
    **dict.fromkeys(("voltage", "v"), "volts"),
    **dict.fromkeys(("current", "i"), "amperes"),
    **dict.fromkeys(("timestamp", "time", "epoch", "datetime", "t"), "time"),
    "date": "date",
}
# What is no power of the machine, though its head may hold the word.
OTHER = re.compile(r"\b(?:factor|apparent|reactive|limit|max|maximum|min|minimum)\b|(?:^|_)(?:max|min)(?:_|$)", re.I)
ALTERNATING = re.compile(r"\b(?:power factor|pf|frequency|freq|hz|cos ?phi)\b", re.IGNORECASE)
NOT_WATTS = re.compile(r"[kM]?(?:VA|A\*V|V\*A|A·V|V·A|VAr|var|Wh|J|Ws)")


@dataclass(frozen=True, slots=True)
class MeterColumn:
    """What a column holds: power (W), volts, amperes, time (s) or date, once multiplied by `factor`.

    `has_unit`: the head names the unit.
    """

    quantity: str
    factor: float = 1.0
    has_unit: bool = False


def classify(head: str) -> MeterColumn | None:
    """What a column is; None: nothing that is needed. Raises ValueError for a unit that can't be understood."""
    head = head.strip()
    name, unit = _split(head)
    if NOT_WATTS.fullmatch(unit) or OTHER.search(name):
        return None
    words = re.split(r"[\W_]+", name.lower())
    quantity = "power" if "power" in words else next((NAMES[word] for word in words if word in NAMES), None)
    if not unit:
        spelt = next((WORDS[word] for word in words if word in WORDS), None)
        if spelt is not None and spelt[0] != "time":
            return MeterColumn(*spelt, has_unit=True)
        return None if quantity is None else MeterColumn(quantity)
    known = unit_of(unit)
    if known is None:
        if quantity in ("power", "volts", "amperes"):
            raise ValueError(f"the unit of the column '{head}' is not known: '{unit}'")
        return None if quantity is None else MeterColumn(quantity)
    if quantity not in (None, known[0]):
        return None if quantity in ("time", "date") else MeterColumn(*known, has_unit=True)
    return MeterColumn(*known, has_unit=True)


def unit_of(text: str) -> tuple[str, float] | None:
    """What a unit measures, and its factor: `mW` is ("power", 1e-3). Raises ValueError for megawatts."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if not text or text[-1] not in SYMBOLS:
        return None
    prefix, quantity = text[:-1], SYMBOLS[text[-1]]
    if prefix == "M" and quantity != "time":
        raise ValueError(f"'{text}' would be mega: milli is a small m")
    return (quantity, PREFIXES[prefix]) if prefix in PREFIXES else None


def _split(head: str) -> tuple[str, str]:
    """Name and unit of a head: `power (mW)`, `Voltage[V]`, `current_mA`, `P/W`, `power mW`, `W`."""
    if match := re.fullmatch(r"(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]", head):
        return match[1], match[2]
    if match := re.fullmatch(r"(.*?)(?:_|\s+|/|,\s*)([A-Za-zµμ*·]+)", head):
        unit = match[2]
        # w, v, a and s alone are units too: power_w; as in power_mw a small w says nothing of the prefix
        symbol = unit[:-1] + unit[-1].upper() if unit[-1:] in ("w", "v", "a") else unit
        if NOT_WATTS.fullmatch(unit) or unit_of(symbol) is not None:
            return match[1], symbol
    if len(head) == 1 and head.upper() in SYMBOLS:
        return "", head.upper()
    if head[-1:] in SYMBOLS and head[:-1] in PREFIXES and len(head) == 2:
        return "", head
    return head, ""


def is_alternating(heads: Sequence[str]) -> bool:
    """Whether a log is of alternating current, where volts x amperes is no power."""
    return any(ALTERNATING.search(head.replace("_", " ")) for head in heads)
