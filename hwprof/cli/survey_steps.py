"""The steps of `hwprof survey`, each made of what the other commands do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.cli import calibrate, validate
from hwprof.cli.progress import outcome
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.names import describe
from hwprof.doctor import host
from hwprof.machine import facts
from hwprof.machine.clock import utc_now
from hwprof.machine.files import ROOT
from hwprof.plan import experiment
from hwprof.printable import plural
from hwprof.store import Results
from hwprof.studies.survey.record import DONE, SurveyRecord
from hwprof.studies.survey.steps import NotPossible, StepProgress, SurveyStep

FRAMEWORKS = re.compile(r"^frameworks = \[.*\]$", re.MULTILINE)
EXPERIMENT = "quick"


@dataclass(slots=True)
class SurveySteps:
    """The steps on this machine. `note`: told of what takes long; `root`: of a recorded machine in tests."""

    results: Results
    record: SurveyRecord
    note: Callable[[str], None]
    root: Path = ROOT
    installed: dict[str, str] = field(default_factory=dict)

    def all(self) -> list[SurveyStep]:
        """doctor is asked each time: what it finds decides whether the others have something to add."""
        return [
            SurveyStep("doctor", self.doctor),
            SurveyStep("events", self.events, self._is_done("events")),
            SurveyStep("ceilings", self.ceilings, self._is_done("ceilings")),
            SurveyStep("speed", self.speed),
        ]

    def _is_done(self, name: str) -> bool:
        return name in self.record.steps and self.record.steps[name].status == DONE

    def doctor(self) -> Iterator[StepProgress]:
        """Every finding, and which frameworks are installed."""
        found = host.probe(self.root)
        self.record.findings = [dataclasses.asdict(finding) for finding in host.examine(found)]
        self.installed = {name: version for name, (version, _) in found.frameworks.items() if version}
        yield StepProgress(1, 1, plural(len(self.record.findings), "finding"))

    def events(self) -> Iterator[StepProgress]:
        """Each event is validated and kept on its own."""
        from hwprof.cache import default_cache
        from hwprof.errors import NotInstalled
        from hwprof.studies.validation import build, known_counts
        from hwprof.studies.validation.bench import Bench, Program

        try:
            program = build.build(default_cache() / "truth")
        except NotInstalled as error:
            raise NotPossible(error.message, error.remedy) from error
        collector = PerfCollector()
        hardware, state = facts.hardware(), facts.host_state()
        here = known_counts.MachineFacts(
            hardware.get("caches", ()), collector.catalog.origin == "emulated", str(hardware.get("architecture", ""))
        )
        bench = Bench(collector, here, lambda mode, argument: Program(program, mode, argument), validate.REPETITIONS)
        events = validate.select_events(collector, None, lambda name: True)
        left = [event for event in events if event.metric not in self.record.events]
        for number, result in enumerate(bench.validate(left), len(events) - len(left) + 1):
            one = result.assessment
            if result.counter is not None:
                validate.save([result], hardware, state, str(self.results.path), quiet=True)
            self.record.events[one.metric] = {
                "verdict": one.verdict.value,
                "why": one.why,
                "remedy": one.remedy,
                "meaning": (result.counter.meaning if result.counter else "") or describe(one.metric),
                "origin": result.origin.value,
            }
            self.record.keep(self.results)
            yield StepProgress(number, len(events), f"{one.metric}: {one.verdict.value}")

    def ceilings(self) -> Iterator[StepProgress]:
        """Each ceiling is kept as soon as it is measured; an interrupted step measures all of them again."""
        from hwprof.cache import default_cache
        from hwprof.machine.cpus import default_cpus
        from hwprof.studies.ceilings import kernels
        from hwprof.studies.ceilings.measure import calibrate as measure
        from hwprof.studies.ceilings.measure import levels

        hardware, state = facts.hardware(), facts.host_state()
        free = facts.volatile().get("available_mib")
        available = None if free is None else free << 20
        kinds = kernels.variants(str(hardware.get("architecture", "")), hardware.get("extensions", ()))
        total = sum(len(kind.kinds) for kind in kinds) + all(kind.element != 2 for kind in kinds)
        total += 2 * len(levels(hardware.get("caches", ()), 1, available))  # a bandwidth and a latency of each
        self.record.absent = []
        found = measure(
            hardware,
            default_cpus(1),
            default_cache() / "ceilings",
            repetitions=calibrate.REPETITIONS,
            seconds=calibrate.SECONDS,
            available=available,
        )
        for number, one in enumerate(found, 1):
            if one.value is None:
                self.record.absent.append({"name": f"{one.what} {one.of}".removesuffix(" -"), "why": one.why})
            else:
                dated = dataclasses.replace(one, evidence={**one.evidence, "at_utc": utc_now()})
                self.results.add_ceilings(hardware, state, [dated])
            yield StepProgress(number, max(total, number), one.name)

    def speed(self) -> Iterator[StepProgress]:
        """The networks of `quick` in every framework that is installed, resumed as any sweep."""
        from hwprof.runner.rounds import Runner

        if not self.installed:
            remedy = "`hwprof doctor` names the command that installs each; then repeat the survey"
            raise NotPossible("no framework is installed", remedy)
        self.record.frameworks = dict(self.installed)
        runner = Runner(planned(tuple(self.installed)), self.results, notify=self.note)
        with closing(runner.run()) as steps:
            for step in steps:
                text = f"{step.run.case.title}: {outcome(step.run)}"
                yield StepProgress(step.done, step.total, text, step.left_s)


def planned(frameworks: tuple[str, ...]) -> experiment.Experiment:
    """The experiment `quick` with these frameworks."""
    names = ", ".join(f'"{name}"' for name in frameworks)
    text, count = FRAMEWORKS.subn(f"frameworks = [{names}]", experiment.load(EXPERIMENT).text)
    assert count == 1
    return experiment.parse(text, EXPERIMENT)
