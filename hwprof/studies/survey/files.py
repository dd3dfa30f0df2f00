"""The two files of a survey: the one it works on, which is complete, and the masked one, which is sent."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwprof.errors import ResultsError, UsageError
from hwprof.store import Results
from hwprof.store.masked_copy import write_masked
from hwprof.studies.survey.record import SurveyRecord, read_record

SUFFIX = ".unmasked"


@dataclass(frozen=True, slots=True)
class SurveyFiles:
    """`masked`: the file to send. While steps are left, the working file lies beside it."""

    masked: Path
    words: Mapping[str, str]  # text that must not be in it -> what stands for it

    @property
    def working(self) -> Path:
        """The complete file, for this machine only."""
        return self.masked.with_name(self.masked.name + SUFFIX)

    @property
    def page(self) -> Path:
        """The page to read."""
        return self.masked.with_suffix(".html")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other surveys out of the folder, which must exist; a crash frees it. Raises ResultsError."""
        folder = os.open(self.masked.parent, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ResultsError(
                    f"another survey writes into the folder of {self.masked}", "wait until it has ended"
                ) from error
            except OSError:  # a file system without such locks
                pass
            yield
        finally:
            os.close(folder)

    def open(self, machine_id: str) -> tuple[Results, SurveyRecord]:
        """The working file, as it was left, and its record.

        Raises UsageError for a name without .db, ResultsError for results that are no survey, or another machine's.
        """
        if self.masked.suffix != ".db":
            raise UsageError(f"{self.masked} does not end in .db", "Name the file to send as NAME.db.")
        is_new = not self.working.exists()
        if is_new and self.masked.exists():
            Results.open(self.masked).close()
            half = self.working.with_name(self.working.name + ".half")
            try:
                shutil.copyfile(self.masked, half)
                half.replace(self.working)
            except OSError as error:
                raise ResultsError(f"{half} can't be written: {error.strerror}", "name another file with -o") from error
        had = self.working.exists()
        try:
            results = Results.open(self.working, create=True)
            record = read_record(results)
            if had and record is None and (is_new or any(results.runs())):
                raise ResultsError(f"{self.masked} holds other results", "name another file with -o")
            if record is not None and record.machine_id != machine_id:
                raise ResultsError(f"{self.masked} is the survey of another machine", "name another file with -o")
        except BaseException:
            if is_new:
                self.working.unlink(missing_ok=True)
            raise
        return results, record or SurveyRecord(machine_id)

    def send(self) -> None:
        """Write the masked file as of now."""
        write_masked(self.working, self.masked, self.words)

    def end(self) -> None:
        """Nothing is left to do: only the masked file stays."""
        self.working.unlink(missing_ok=True)
