"""Why: what bounds a case, and why one case is faster than another.

  hwprof explain                                    every case: what bounds it, how sure, on which figure
  hwprof explain onnxruntime,network=resnet18       one case, with all numbers, and what is not known of it
  hwprof explain onnxruntime opencv                 why one is faster: the ratio in factors, and the evidence on them
  hwprof explain onnxruntime,threads=1 threads=2    one framework, two thread counts
  hwprof explain onnxruntime opencv ncnn            three and more: a ranking, then every two
  hwprof explain onnxruntime opencv --test          measure again, one thing changed at a time: only this shows causes
  hwprof explain onnxruntime opencv --test spin     the same of one kind of change

A selects runs, by words with commas between: a framework, network=..., batch=..., threads=..., shape=3x48x320,
machine=..., version=..., an option (spin=false), an experiment, a run's id, or another results file (results=FILE). It
selects of the latest experiment, of the one that the last word names (results.db:quick), or of every run where it names
runs or times. Of two, what both name with different values is compared; what one names alone narrows both; the rest
must be equal on both sides.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.cli.options import RangeAction, add_case, add_results, notify, split_names
from hwprof.cli.selection import SELECTING, notify_scope
from hwprof.cli.times import seconds
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, ResultsError, UsageError
from hwprof.printable import encodable_data, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hwprof.analysis.explain.candidates import PossibleCause
    from hwprof.analysis.explain.explanation import Explanation
    from hwprof.analysis.explain.pairs import Source
    from hwprof.analysis.explain.selectors import CaseRuns, Pair
    from hwprof.analysis.omissions import Omission
    from hwprof.store import Results

TIMES = ("since=", "until=")
Found = tuple["Sequence[PossibleCause]", "Mapping[str, str]"]  # candidates of a rerun, and why other kinds are none
Place = tuple[Path, "Sequence[str]"]  # a results file, and the terms that select its runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from hwprof.frameworks.switches import KINDS

    add = parser.add_argument
    says = "what selects A, B, ...: none, one or several; last RESULTS or RESULTS:EXPERIMENT (default: the latest one)"
    add("words", nargs="*", metavar="A ... RESULTS", help=says)
    add(
        "--test",
        type=split_names,
        nargs="?",
        const=(),
        metavar="WHAT",
        help=f"measure again with one thing changed: {', '.join(KINDS)} (several with commas; default: what may be a "
        "cause by what was measured, the most promising first)",
    )
    add("--budget", type=seconds, default=300.0, metavar="TIME", help="of --test (default: 5m; two rounds at least)")
    add("--intervene", dest="test", type=split_names, help=argparse.SUPPRESS)  # its former name
    add("-r", "--rounds", action=RangeAction, default=8, help="rounds of --test at most (default: 8)")
    add_case(parser, "window", default=0.5, help="seconds per window of --test (default: 0.5)")
    add("--paired", action="store_true", help="paired intervals: rounds of A and B share a drift")
    add("--full", action="store_true", help="everything that is known of every case or pair")
    add("--all", dest="full", action="store_true", help=argparse.SUPPRESS)  # as of `bottlenecks`
    add("--only", default="", help=argparse.SUPPRESS)  # likewise
    add_case(parser, "json", help="as one JSON document")
    add_results(parser)
    parser.epilog = SELECTING.strip()


def main(args: argparse.Namespace) -> int:
    from hwprof.frameworks.switches import KINDS

    if unknown := [kind for kind in args.test or () if kind not in KINDS]:
        raise UsageError(f"--test knows no {unknown[0]}", f"one of: {', '.join(KINDS)}")
    selectors, place = split_words([*([args.only] if args.only else []), *args.words], args.results)
    if len(selectors) < 2:
        return explain_cases(args, selectors[0] if selectors else "", place)
    return explain_pairs(args, selectors, place)


def split_words(words: Sequence[str], results: str | None) -> tuple[list[str], Place]:
    """(selectors, the place that the others of these words or --results name). Raises UsageError for two places.

    Words behind the place select of its runs, and so do times wherever they stand.
    """
    from hwprof.store import place_and_terms
    from hwprof.store.place import is_file
    from hwprof.store.selection import split_place

    chosen: list[str] = []
    terms: list[str] = []
    for word in words:
        is_place = word.startswith(":") or split_place([word], is_file)[0] is not None
        (terms if terms or is_place or word.startswith(TIMES) else chosen).append(word)
    return chosen, place_and_terms(terms, results)


def split_selector(text: str) -> tuple[str | None, str]:
    """(results file, the rest of the selector)."""
    words = [w.strip() for w in text.split(",")]
    files = [w.removeprefix("results=") for w in words if w.startswith("results=")]
    if len(files) > 1:
        raise UsageError(f"two results files in '{text}'", "one per selector")
    return (files[0] if files else None), ",".join(w for w in words if not w.startswith("results="))


def explain_cases(args: argparse.Namespace, selector: str, place: Place) -> int:
    """What bounds one case, or each of several."""
    from hwprof.analysis.bottlenecks import bounds, diagnosis
    from hwprof.analysis.explain import pairs
    from hwprof.analysis.omissions import ACCURACIES_ALONE
    from hwprof.analysis.over_time import comovement, tail
    from hwprof.reports import within_runs
    from hwprof.reports.terminal import bottlenecks
    from hwprof.store import place_and_terms

    file, where = split_selector(selector)
    place = place_and_terms([file]) if file else place
    failed = 0
    with ExitStack() as stack:
        results = open_place(stack, place, [where])
        if results.scope is not None:
            notify_scope(shlex.join(["explain", *([selector] if selector else [])]), results, results.scope)
        source = pairs.Source(results)
        chosen = pairs.find_cases(where, source)
        if args.test is not None:
            if len(chosen) != 1 or not where:
                named = f"'{where}' names {plural(len(chosen), 'case')}" if where else "none is named"
                remedy = "name one, as onnxruntime,network=resnet18, or two selectors"
                raise UsageError(f"--test measures one case or a pair of them, and {named}", remedy)
            failed = measure([(chosen[0], chosen[0])], candidates_of_case(chosen[0], source), source, args)
            source.refresh()
        wanted = {runs.case for runs in chosen}
        found, omitted = diagnosis.diagnose(results, where)
        found = [d for d in found if d.case in wanted]
        reruns: list[Explanation] = []
        within, slowest = None, None
        if len(found) == 1 and found[0].runs is not None:
            reruns, _ = pairs.explanations(pairs.reruns(found[0].runs, source), source)
            rounds = list(results.runs(ids=[e.order for e in found[0].runs.entries]))
            within, slowest = comovement.estimate(rounds), tail.estimate(rounds)
    _say_omitted(omitted)
    name = results.name + (results.scope.suffix if results.scope else "")
    commands = bounds.next_commands(found, name)
    if args.json:
        document = bottlenecks.document(found, omitted, commands, reruns, within, slowest)
        print(json.dumps(encodable_data(document)))
    elif not found:
        asked = f" matches '{where}' and" if where else f" of {place[0]}"
        alone = bool(omitted) and all(one.why == ACCURACIES_ALONE for one in omitted)
        remedy = "import a table of speeds too" if alone else "`hwprof run` or `hwprof sweep` measures some"
        raise ResultsError(f"no case{asked} has a speed to judge", remedy)
    else:
        lines = within_runs.lines(within, slowest) if len(found) == 1 else []
        print(bottlenecks.text(found, args.full, commands=commands, reruns=reruns, within=lines))
    return EXIT_CASES_FAILED if failed else EXIT_OK


def explain_pairs(args: argparse.Namespace, words: Sequence[str], place: Place) -> int:
    """Why one of two is faster, or every two of several."""
    from hwprof.analysis.answer import aggregate, build
    from hwprof.analysis.explain import pairs
    from hwprof.analysis.explain.wording import summarise
    from hwprof.reports.terminal import explain as report
    from hwprof.store import place_and_terms

    sides = [split_selector(word) for word in words]
    places = [place_and_terms([file]) if file else place for file, _ in sides]
    texts = [text for _, text in sides]
    is_one = all((path.resolve(), terms) == (places[0][0].resolve(), places[0][1]) for path, terms in places)
    if not is_one and len(words) > 2:
        raise UsageError("several results files and more than two selectors", "name two selectors")
    failed = 0
    with ExitStack() as stack:
        results = open_place(stack, places[0], texts if is_one else [texts[0] or texts[1]])
        source = pairs.Source(results)
        other = None if is_one else pairs.Source(open_place(stack, places[1], [texts[1] or texts[0]]))
        if is_one and results.scope is not None:
            notify_scope(shlex.join(["explain", *words]), results, results.scope)
        found = find_pairs(texts, source, other)
        if args.test is not None:
            if other is not None:
                raise UsageError("--test measures on this machine, into one file", "name one results file")
            seen = pairs.explanations(found, source, other, args.paired)[0]
            failed = measure([(pair.a, pair.b) for pair in found], candidates_of_pairs(seen), source, args)
            source.refresh()
            found = find_pairs(texts, source)
        explanations, omitted = pairs.explanations(found, source, other, args.paired)
    _say_omitted(omitted)
    if not explanations:
        raise ResultsError("no pair to explain", "name two frameworks, networks, machines, batches or runs")
    named = any(file for file, _ in sides)
    file = results.name + results.scope.suffix if is_one and not named and results.scope else ""
    cases = aggregate.of_explanations(explanations)
    several = other is None and len({c.network for c in cases}) > 1
    answer = build.answer_cases(cases, file, several)
    summary = None
    if len(words) == 2:
        main_pair = answer.main if answer is not None else None
        summary = summarise(explanations, None if main_pair is None else main_pair.choice)
    if args.json:
        print(json.dumps(encodable_data(report.document(explanations, summary, answer, omitted))))
    else:
        print(report.text(explanations, summary, answer=answer, full=args.full))
    return EXIT_CASES_FAILED if failed else EXIT_OK


def open_place(stack: ExitStack, place: Place, selectors: Sequence[str]) -> Results:
    """The results of a place, restricted to what its terms select, with what was measured again of these cases."""
    from hwprof.store import Results

    results = stack.enter_context(Results.open(place[0]))
    results.choose(place[1], reruns=True, selectors=[text for text in selectors if text])
    return results


def find_pairs(words: Sequence[str], source: Source, other: Source | None = None) -> list[Pair]:
    """The pairs of every two selectors; of more than two, those that have cases in common."""
    from hwprof.analysis.explain import pairs

    if len(words) == 2:
        a, b = words
        return pairs.find(a or _same_selector(b), b or _same_selector(a), source, other)
    found: list[Pair] = []
    refusal: ResultsError | None = None
    for a, b in itertools.combinations(words, 2):
        try:
            found += pairs.find(a, b, source)
        except ResultsError as error:
            refusal = refusal or error
    if not found and refusal is not None:
        raise refusal
    return found


def _same_selector(other: str) -> str:
    """`results=FILE` alone: the same selector as the other's."""
    if not other:
        raise UsageError(
            "two results files and nothing named in them", "as in results=old.db,onnxruntime results=new.db"
        )
    return other


def _say_omitted(omitted: Sequence[Omission]) -> None:
    from hwprof.analysis.omissions import lines

    for line in lines(omitted):
        notify(line)


def candidates_of_case(chosen: CaseRuns, source: Source) -> Found:
    """What may be a cause of one case's time."""
    from hwprof.analysis.explain.candidates import candidates
    from hwprof.analysis.explain.explain import side_of

    return candidates([side_of(source.side_runs(chosen, "", True))], None)


def candidates_of_pairs(explanations: Sequence[Explanation]) -> Found:
    """What may be a cause in any of several pairs, by the one that speaks for it most."""
    from hwprof.analysis.explain.candidates import candidates

    best: dict[str, PossibleCause] = {}
    none: dict[str, str] = {}
    for e in explanations:
        found, excluded = candidates([e.a, e.b], e.decomposition)
        none |= excluded
        for one in found:
            if one.kind not in best or one.score > best[one.kind].score:
                best[one.kind] = one
    found = sorted(best.values(), key=lambda one: -one.score)
    return found, {kind: why for kind, why in none.items() if kind not in best}


def measure(sides: Sequence[tuple[CaseRuns, CaseRuns]], found: Found, source: Source, args: argparse.Namespace) -> int:
    """Measure cases again with each kind of --test, or each candidate; how many runs failed."""
    from hwprof.cli.reruns import rerun

    kinds = args.test
    if not kinds:
        candidates, excluded = found
        for kind, why in excluded.items():
            notify(f"{kind} is not tested: {why}")
        for one in candidates:
            notify(f"{one.kind} is tested: {one.reason}")
        kinds = [one.kind for one in candidates]
    return rerun(kinds, sides, source, args.rounds, args.window, args.budget)
