"""Accuracy as text and JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from hwprof.analysis.accuracy import Share, holds
from hwprof.printable import plural
from hwprof.records import to_json
from hwprof.studies.accuracy.measure import AccuracyResult

# By how much the same network may differ between frameworks by top-1, in percentage points (docs/accuracy.md).
EXPECTED = 0.1
SHOWN = 3


def percent(found: Share | None) -> str:
    """71.20 % [69.1, 73.2]."""
    if found is None:
        return "-  (5 classes or fewer)"
    return f"{found.value:7.2%} [{found.low * 100:.2f}, {found.high * 100:.2f}]".replace("%", " %")


def text(result: AccuracyResult) -> str:
    """For a terminal: the images, a line per framework, a line per pair, omissions."""
    lines = [
        f"{result.network} {'x'.join(map(str, result.shape))} · "
        f"{plural(result.images, 'image', form=',')} of {result.folder} · "
        f"{plural(result.classes, 'class', 'classes')}",
        f"{result.preprocess.title(*result.shape[1:])} · {result.decoder} · intervals: 95 %, Wilson",
        "",
    ]
    width = max([len("framework"), *(len(one.name) for one in result.scores)])
    if result.scores:
        lines.append(f"  {'framework':<{width}}  {'top-1':<27}  top-5")
    for one in result.scores:
        invalid = f"   {one.invalid} answers not finite, counted as wrong" if one.invalid else ""
        lines.append(f"  {one.name:<{width}}  {percent(one.top1):<27}  {percent(one.top5)}{invalid}")
    if result.pairs:
        wide = max(len(f"{p.first} - {p.second}") for p in result.pairs)
        lines += [
            "",
            f"  {'top-1, second less first':<{wide}}  points   95 %               only 1st  only 2nd  p (McNemar)",
        ]
        lines[-1] += "  p (Holm)  same answer"
        for p in result.pairs:
            span = f"[{p.low * 100:+.2f}, {p.high * 100:+.2f}]"
            lines.append(
                f"  {f'{p.first} - {p.second}':<{wide}}  {p.difference * 100:+6.2f}   {span:<18} {p.only_first:>8}  "
                f"{p.only_second:>8}  {p.p:>11.3g}  {p.p_holm:>8.3g}  {p.agreement:>10.2%}".replace("%", " %")
            )
        lines += ["", f"  {verdict(result)}"]
    lines += [f"  failed: {name}: {failure.message}" for name, failure in result.failures]
    lines += [f"  {note}" for note in notes(result)]
    return "\n".join(lines)


def verdict(result: AccuracyResult) -> str:
    """Whether the frameworks are within what the same network may differ by."""
    found = [holds(pair, EXPECTED) for pair in result.pairs]
    if all(one is True for one in found):
        return f"Every two agree within {EXPECTED:g} points of top-1."
    if any(one is False for one in found):
        beyond = [f"{p.first} - {p.second}" for p, one in zip(result.pairs, found, strict=True) if one is False]
        return f"Beyond {EXPECTED:g} points of top-1: {', '.join(beyond)}."
    return f"Too few images to say whether every two agree within {EXPECTED:g} points of top-1."


def notes(result: AccuracyResult) -> list[str]:
    """Images and labels that are not in the counts."""
    found = []
    if result.broken:
        named = ", ".join(path.rsplit("/", 1)[-1] for path, _ in result.broken[:SHOWN])
        more = ", ..." if len(result.broken) > SHOWN else ""
        images = "image" if len(result.broken) == 1 else "images"
        found.append(f"{len(result.broken)} broken {images} left out of every count: {named}{more}")
    if result.unused:
        found.append(f"{plural(result.unused, 'label', form=',')} of images that are not in the folder")
    return found


def document(result: AccuracyResult) -> dict[str, Any]:
    """Every field; `right` and `of` with each share, null where there is no share."""
    scores = [{**to_json(one), "top1_share": one.top1.value} for one in result.scores]
    for score, one in zip(scores, result.scores, strict=True):
        score["top5_share"] = None if one.top5 is None else one.top5.value
    plain = {f.name: to_json(getattr(result, f.name)) for f in dataclasses.fields(result)}
    return {"format": 1, **plain, "scores": scores, "verdict": verdict(result) if result.pairs else None}
