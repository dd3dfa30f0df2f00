"""Progress of what takes long: in place on a terminal, elsewhere a line a run; nothing but failures with -q."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hwprof.cli.verbosity import Verbosity
from hwprof.printable import sentence
from hwprof.reports.terminal.style import FULL, Palette, columns, is_terminal, palette

if TYPE_CHECKING:
    from hwprof.records import Run
    from hwprof.runner.rounds import Progress

CLEAR = "\r\033[K"


class Display:
    """The one writer of progress to a stream (default: stderr), so that lines and what is in place don't mix."""

    def __init__(self, verbosity: Verbosity = Verbosity.NORMAL, stream: Any = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.is_quiet = verbosity is Verbosity.QUIET
        self.is_in_place = is_terminal(self.stream) and verbosity is Verbosity.NORMAL
        self.palette: Palette = palette(self.stream)
        self._is_open = False

    def show(self, line: str) -> None:
        """The next state of what is going on; the one before goes from a terminal."""
        if self.is_quiet:
            return
        if not self.is_in_place:
            self._write(f"{line}\n")
            return
        self._write(f"{CLEAR}{fitted(line, columns(self.stream) - 1)}")
        self._is_open = True

    def fail(self, line: str) -> None:
        """What went wrong with one run: it stays, whatever the verbosity."""
        self.close()
        self._write(f"{self.palette.doubt(line)}\n")

    def note(self, text: str) -> None:
        """A remark on what takes long; it stays."""
        if self.is_quiet:
            return
        self.close()
        self._write(f"hwprof: {sentence(text)}\n")

    def close(self) -> None:
        """Take away what is in place."""
        if self._is_open:
            self._write(CLEAR)
            self._is_open = False

    def step(self, step: Progress) -> None:
        """One run that is done."""
        if step.run.failure is not None:
            self.fail(progress(step))
        else:
            self.show(progress(step))

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, text: str) -> None:
        print(text, end="", file=self.stream, flush=True)


def fitted(line: str, width: int) -> str:
    """A line of progress without its middle: its begin (how far) and its end (the figure) stay."""
    if width >= FULL or len(line) <= width:
        return line
    tail = max(0, (width - 3) // 2)
    return f"{line[: max(0, width - 3 - tail)]}...{line[len(line) - tail :]}"


def progress(step: Progress) -> str:
    """`[12/96 2:10 left] onnxruntime mobilenet_v2 ...: 121.8 FPS, doubts: noisy`."""
    return f"[{step.done}/{step.total}{left_text(step)}] {step.run.case.title}: {outcome(step.run)}"


def left_text(step: Progress) -> str:
    """` 2:10 left`, ` up to 2:10 left` where it is a limit; "" where nothing is known."""
    if step.left_s is None:
        return ""
    minutes, seconds = divmod(int(step.left_s), 60)
    return f"{' up to' * step.is_limit} {minutes}:{seconds:02d} left"


def outcome(run: Run) -> str:
    """What came of a run: its FPS with what is doubtful, or why there is none."""
    from hwprof.records.agreement import mark
    from hwprof.speed import of_run

    if run.failure is not None:
        return f"{run.failure.code}: {sentence(run.failure.message)}"
    if run.kind == "simulated":
        return "simulated"
    fps = of_run(run).fps
    words = [("no speed" if run.kind == "native" else "no figure") if fps is None else f"{fps:,.1f} FPS"]
    words += [shown] if (shown := mark(run.fidelity)) else []
    codes = dict.fromkeys(doubt.code for doubt in run.doubts)
    words += [f"doubts: {', '.join(codes)}"] if codes else []
    return ", ".join(words)


def ending(run: Run) -> str:
    """Whether a run is done, or why it failed."""
    return "done" if run.failure is None else f"failed: {sentence(run.failure.message)}"
