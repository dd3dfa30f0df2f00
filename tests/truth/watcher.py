"""`perf stat` as the other observer of a process. Standard library only: it runs in guests too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path


def wait_until_asleep(pid: int) -> None:
    """Return once the process waits for something."""
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "S":
        time.sleep(0.001)


class Perf:
    """`perf stat` on a process, switched on and off from here."""

    def __init__(self, pid: int, events: str) -> None:
        self._folder = Path(tempfile.mkdtemp())
        fifos = [self._folder / name for name in ("control", "ack")]
        for fifo in fifos:
            os.mkfifo(fifo)
        words = ["perf", "stat", "-j", "-D", "-1", "-e", events, "-p", str(pid), "-o", str(self._folder / "out")]
        words += ["--control", f"fifo:{fifos[0]},{fifos[1]}"]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self._control = fifos[0].open("w", buffering=1)
        self._ack = fifos[1].open("r")

    def say(self, word: str) -> None:
        """enable or disable; done when this returns."""
        self._control.write(f"{word}\n")
        answer = self._ack.readline().strip("\0\n")
        if answer != "ack":
            raise RuntimeError(f"perf said {answer!r}")

    def counts(self) -> dict[str, float]:
        """End perf, unless its process has ended and perf with it; its counts."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
        self._control.close()
        self._ack.close()
        lines = (self._folder / "out").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return {line["event"]: float(line["counter-value"]) for line in found}
