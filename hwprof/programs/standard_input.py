"""Standard input of a command that is executed more than once: every execution shall find the same.

Without this the first execution reads it to its end, and the others do other work under the same name.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Self

STDIN = 0
EMPTY = "standard input is a pipe, of which only the first execution would find something: all find it empty"
REMEDY = "give it by a file: hwprof run ... -- COMMAND < FILE"


@dataclass(slots=True)
class RepeatedInput:
    """`start`: where in the file every execution begins; None: no file. `is_empty`: nothing is passed on."""

    start: int | None = None
    is_empty: bool = False

    @classmethod
    def of(cls, executions: int) -> Self:
        """What this process's standard input is to so many executions. One alone has it as it is."""
        try:
            mode = os.fstat(STDIN).st_mode
        except OSError:  # closed: the command finds it closed too
            return cls()
        if executions < 2 or stat.S_ISCHR(mode):  # a terminal, /dev/null
            return cls()
        if stat.S_ISREG(mode):
            return cls(os.lseek(STDIN, 0, os.SEEK_CUR))
        return cls(is_empty=True)

    def begin(self) -> int | None:
        """Before an execution: the descriptor it shall have, to be closed after its start; None: this process's own."""
        if self.is_empty:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        if self.start is not None:
            os.lseek(STDIN, self.start, os.SEEK_SET)
        return None
