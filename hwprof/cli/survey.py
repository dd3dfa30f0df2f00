"""Survey this machine: what it is, what it counts, which events count right, its ceilings, and FPS of what is there.

Four steps: doctor, events (`hwprof events --validate`), ceilings (`hwprof roofline --measure`), speed (the networks of
the experiment quick in every framework that is installed). A step that can't be done here is named with its reason, and
the others are done. Interrupt it at any time: the same command goes on from there, and when all is done it adds what
became possible.

It writes one file to send (FILE) and one page to read (the same name with .html). Host and user names, folders and
serial numbers are in neither. Elsewhere `hwprof import FILE` takes the runs in, on any architecture. While steps are
left, the complete results lie in FILE.unmasked, which stays on this machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import add_case, check_folder, print_json
from hwprof.cli.progress import Display
from hwprof.errors import EXIT_CASES_FAILED, EXIT_INTERRUPTED, EXIT_OK
from hwprof.printable import advice

if TYPE_CHECKING:
    from hwprof.studies.survey.files import SurveyFiles
    from hwprof.studies.survey.record import SurveyRecord

DEFAULT = "hwprof-survey.db"
FORMAT = 1  # of the JSON document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case(parser, "json", help="what each step came to, as one JSON document")
    parser.add_argument("-o", "--output", default=DEFAULT, metavar="FILE", help=f"file to send (default: {DEFAULT})")


def main(args: argparse.Namespace) -> int:
    from hwprof.machine.private import private_words
    from hwprof.studies.survey.files import SurveyFiles

    check_folder(args.output, "name another file with -o")
    files = SurveyFiles(Path(args.output), private_words())
    with files.alone():
        return survey(files, args.json)


def survey(files: SurveyFiles, as_json: bool) -> int:
    """Take the steps that are left, write file and page, print what came of each; the exit code."""
    from hwprof.cli.survey_steps import SurveySteps
    from hwprof.machine import facts
    from hwprof.studies.survey import steps
    from hwprof.studies.survey.record import FAILED

    hardware = facts.hardware()
    results, record = files.open(facts.machine_id(hardware))
    display = Display()

    def keep() -> None:
        record.keep(results)
        files.send()

    is_interrupted = False
    with results, display:
        record.machine, record.host_state = hardware, facts.host_state()
        try:
            steps.take(SurveySteps(results, record, display.note).all(), record, display.show, keep)
        except KeyboardInterrupt:
            is_interrupted = True
    write_page(files.masked, files.page)
    if as_json:
        print_json(document(files, record, is_interrupted))
    else:
        for name, step in record.steps.items():
            print(f"{name:<9} {step.status}" + (f": {step.why} {advice(step.remedy)}".rstrip() if step.why else ""))
        print(f"send: {files.masked}\nread: {files.page}")
    if is_interrupted:
        print("hwprof: Interrupted. What was finished is kept. The same command goes on from there.", file=sys.stderr)
        return EXIT_INTERRUPTED
    files.end()
    is_broken = any(step.status == FAILED for step in record.steps.values())
    return EXIT_CASES_FAILED if is_broken else EXIT_OK


def document(files: SurveyFiles, record: SurveyRecord, is_interrupted: bool) -> dict[str, Any]:
    """What a call did, as JSON. `steps`: name -> status, why, remedy and seconds."""
    return {
        "format": FORMAT,
        "file": str(files.masked),
        "page": str(files.page),
        "steps": record.document()["steps"],
        "interrupted": is_interrupted,
    }


def write_page(file: Path, page: Path) -> None:
    """Write the page of a masked survey. Raises ResultsError."""
    from hwprof.cli.options import writing
    from hwprof.networks.network import atomic_write
    from hwprof.reports.html.survey import survey_page
    from hwprof.store import Results
    from hwprof.studies.survey.record import read_record

    with Results.open(file, masked=True) as results:
        record = read_record(results)
        assert record is not None
        text = survey_page(record, results, file.name)
    with writing(page, "name another file with -o"), atomic_write(page) as half:
        half.write_text(text, encoding="utf-8")
