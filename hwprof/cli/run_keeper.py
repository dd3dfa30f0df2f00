"""Saves the runs of observed programs; where the results file takes them no more, in another file, which is named."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.errors import ResultsError
from hwprof.printable import plural
from hwprof.records import Run

if TYPE_CHECKING:
    from hwprof.store import Results


@dataclass(slots=True)
class RunKeeper:
    """Saves each run as it ends. A program may remove the folder of the results file, or fill its disk.

    `place`: the results file by its whole path, found before a program can remove the working directory. `loss`: why
    it does not hold the runs, None: it does.
    """

    results: Results
    place: Path = field(init=False)
    runs: list[Run] = field(default_factory=list)
    loss: ResultsError | None = None
    _experiment: int = 0

    def __post_init__(self) -> None:
        self.place = self.results.path.resolve()

    @property
    def note(self) -> str:
        """Where the runs were saved; empty: the results file took them not."""
        return f"run {self.runs[0].uid} -> {self.results.path}" if self.runs and self.loss is None else ""

    def add(self, run: Run) -> None:
        """Save one more run. Raises nothing: see `finish`."""
        self.runs.append(run)
        if self.loss is not None:
            return
        try:
            # an experiment of their own, so that the same command can be measured again
            self._experiment = self._experiment or self._begin(self.results)
            self.results.add(run, self._experiment)
        except ResultsError as error:
            self.loss = error
        except OSError as error:
            self.loss = ResultsError(f"{self.place} can't be written: {error.strerror}")
        if self.loss is None and not self.place.exists():
            self.loss = ResultsError(f"{self.place} was removed while the program ran")

    def _begin(self, results: Results) -> int:
        uid = self.runs[0].uid
        return results.begin_experiment("command", f"# hwprof run, {uid}", uid, 0)

    def finish(self) -> None:
        """Raise ResultsError where the results file does not hold the runs: with the file that holds them now."""
        if self.loss is None:
            return
        from hwprof.store import Results

        try:
            spare = Path(tempfile.gettempdir()) / f"hwprof-{self.runs[0].uid}.db"
            with Results.create(spare) as results:
                results.add_all(self.runs, self._begin(results))
        except (ResultsError, OSError) as error:
            message = f"{self.loss.message.rstrip('.')}. Nor could the runs be saved elsewhere: {error}"
            raise ResultsError(message, "what was printed is all there is of them") from error
        message = f"{self.loss.message.rstrip('.')}. {plural(len(self.runs), 'run')} saved in {spare}"
        raise ResultsError(message, f"`hwprof import {spare}` adds what it holds to a results file")
