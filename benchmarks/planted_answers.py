"""Does the first sentence of an answer name the cause that was planted? Results with known causes, many draws.

Every framework but the first is slower by one cause, x1.5 and more: instructions per frame, fewer instructions per
cycle (with cache misses, or without), the clock, threads that wait (and sleep, or spin), another process on the core,
or each by another of these (benchmarks/planted_causes.py). Noise is a tenth of the effect, or half of it. One framework
is as far beyond the limit of the verdict that has to name it as others are slower.

    python benchmarks/planted_answers.py [--draws 200] [--seed 1] [--only WORDS]

Of each setting: how often the sentence names the right cause, says that it is not separable from others, names none
(silent), or a wrong one or the wrong framework. Exit code 1 where more than 5 % are wrong, or more than 20 % silent
where the effect is 10 times the noise.
"""

from __future__ import annotations

import argparse
import enum
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hwprof.analysis.answer import wording
from hwprof.analysis.answer.build import answer_alone, answer_cases
from hwprof.analysis.factors.identity import CLOCK, CPU_TIME, IPC, PARALLELISM, RATE, USER_CLOCK, WORK

sys.path += map(str, Path(__file__).resolve().parents[:2])  # last: what lies beside this file shadows nothing
import planted_causes as plants
from paired import clopper_pearson
from planted_causes import CAUSES, FRAMEWORKS, MISSES, MIXED, NOISE, PROCESS, SEVERAL, SPINNING, Setting

MOST_WRONG, MOST_SILENT = 0.05, 0.20
COUNTS = (1, 2, 3, 6)  # frameworks


class Word(enum.StrEnum):
    """What a first sentence is."""

    RIGHT = "right"
    INSEPARABLE = "not separable"
    SILENT = "silent"
    WRONG = "wrong"


def settings() -> Iterator[Setting]:
    """All of them."""
    for cause, count in itertools.product((*CAUSES, SEVERAL), COUNTS):
        if cause != SEVERAL or count > 2:
            yield from (Setting(cause, count, counters, noise) for counters in (True, False) for noise in NOISE)


def first_sentence(paragraph: str) -> str:
    """Up to the first full stop that ends a sentence."""
    return paragraph.partition(". ")[0]


def draw_sentence(rng: np.random.Generator, setting: Setting) -> str:
    """The first sentence of the answer of one draw."""
    if setting.frameworks == 1:
        return first_sentence(answer_alone(FRAMEWORKS[:1], (), diagnoses=plants.diagnose(rng, setting)).paragraph)
    runs = plants.runs_of(rng, setting)
    names, networks = (list(dict.fromkeys(key[place] for key in runs)) for place in (0, 1))
    found = {key: plants.view(key[0], own) for key, own in runs.items()}
    answer = answer_cases(plants.compare(names, networks, found))
    assert answer is not None
    return first_sentence(answer.paragraph)


NAMED: Mapping[str, frozenset[str]] = {
    **{n: frozenset({n}) for n in (PARALLELISM, CLOCK, IPC, WORK, "observer", "tail")},
    **{n: frozenset(n.split(" x ")) for n in (USER_CLOCK, RATE, CPU_TIME)},
    "throughput": frozenset({PARALLELISM, CLOCK, IPC, WORK}),
}
MERGED = re.compile(r"((?:parallelism|clock|ipc|work)(?:, (?:clock|ipc|work))+) \(not separable\)")
CLUE = "per instruction"  # misses that a sentence names beside a factor
NOTHING = ("the factors are not distinguishable by these measurements", "no factor is distinguishable")


def factors_in(sentence: str) -> list[frozenset[str]]:
    """The factors that a sentence names, each as what is in it."""
    if any(words in sentence for words in NOTHING):
        return []
    found = [
        NAMED[n] for n, words in wording.NAMES.items() if re.search(re.escape(words) + r" (?:\(?\d|and )", sentence)
    ]
    found += [frozenset(words.split(", ")) for words in MERGED.findall(sentence)]
    return found + ([NAMED["throughput"]] if wording.NAMES["throughput"] in sentence else [])


def judge(sentence: str, setting: Setting) -> Word:
    """What the sentence is, of results of this setting."""
    if setting.frameworks == 1:
        codes = set(re.findall(r"([a-z-]+) in \d+ of", sentence))
        right = CAUSES[setting.cause].bottleneck
        if codes:
            return Word.RIGHT if codes == {right} else Word.WRONG
        return Word.SILENT if right else Word.INSEPARABLE
    fastest = re.match(r"(\w+) is (?:[\d.]+ times as fast as|the fastest of \d+ frameworks(?!, not ))", sentence)
    found, others = factors_in(sentence), "others took" in sentence
    if setting.cause == PROCESS and others:
        return Word.RIGHT if all(one & {PARALLELISM} for one in found) else Word.WRONG
    if fastest is not None and fastest[1] != FRAMEWORKS[0]:
        return Word.WRONG
    if setting.cause == SPINNING:  # nothing but all that spinning moves together can be right
        if not found:
            return Word.SILENT
        return Word.INSEPARABLE if all(one >= {PARALLELISM, WORK} for one in found) else Word.WRONG
    causes = MIXED if setting.cause == SEVERAL else (setting.cause,)
    misses = CLUE in sentence
    truths = [frozenset(CAUSES[cause].changes) for cause in causes]
    if any(not any(one & truth for truth in truths) for one in found) or (misses and MISSES not in causes):
        return Word.WRONG
    if setting.cause == MISSES and not misses:
        truths = []  # without a word on them they are one of several reasons for few instructions per cycle
    if any(one in truths for one in found):
        return Word.RIGHT
    return Word.INSEPARABLE if found else Word.SILENT


def tally(rng: np.random.Generator, setting: Setting, draws: int) -> Counter[Word]:
    """How often the first sentence is each of the four."""
    return Counter(judge(draw_sentence(rng, setting), setting) for _ in range(draws))


def is_kept(setting: Setting, words: Mapping[Word, int], draws: int) -> bool:
    """Whether few enough are wrong, and few enough silent where that is promised."""
    silent = words[Word.SILENT] if setting.noise == "small" else 0
    return words[Word.WRONG] <= MOST_WRONG * draws and silent <= MOST_SILENT * draws


def main() -> int:
    """Print the table; 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="the causes with these words in their names")
    args = parser.parse_args()
    print(f"{args.draws} draws of each, seed {args.seed}; shares with their exact 95 % intervals\n")
    print("| cause | frameworks | PMU | noise | right | not separable | silent | wrong | silent | wrong | |")
    print("|" + " --- |" * 11)
    kept = True
    for number, setting in enumerate(settings()):
        if args.only not in setting.cause:
            continue
        words = tally(np.random.default_rng([args.seed, number]), setting, args.draws)
        good = is_kept(setting, words, args.draws)
        kept = kept and good
        counts = " | ".join(str(words[word]) for word in Word)
        bounds = " | ".join(
            "{:.3f} ... {:.3f}".format(*clopper_pearson(words[word], args.draws)) for word in (Word.SILENT, Word.WRONG)
        )
        pmu = "yes" if setting.counters else "no"
        verdict = "kept" if good else "BROKEN"
        row = f"{setting.cause} | {setting.frameworks} | {pmu} | {setting.noise} | {counts} | {bounds} | {verdict}"
        print(f"| {row} |", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
