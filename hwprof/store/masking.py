"""Masks secrets, home folders and other programs' arguments in what others may see of a results file.

The results file itself stays complete, which a repeated run needs: `Masker` changes copies of what is read from it.
Equal secrets get equal marks and different ones different marks, so that two commands which differ in nothing else
stay two. Pure: no file, no environment is read here. docs/report.md lists what is masked.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hwprof.printable import encodable, printable
from hwprof.records import Case, Run

if TYPE_CHECKING:
    import pandas as pd

HIDDEN, HOME = "[hidden]", "~"
COMMAND, ATTACHED = "command", "attached"  # options of cases, see hwprof.programs
# A name ends in one of these words (--db-password, GITHUB_TOKEN), or its last word ends so (PGPASSWORD).
WORDS = frozenset({"pwd", "token", "key", "credential", "credentials", "auth"})
ENDS = ("password", "passwd", "passphrase", "apikey", "secret")
# What stands before `token` and `key` where neither is a secret: --pad-token 0, --sort-key time.
PLAIN = frozenset(
    {"pad", "eos", "bos", "unk", "sep", "cls", "mask", "stop", "start", "end", "special"}
    | {"sort", "primary", "foreign", "group", "cache", "public"}
)
# `pass` is a compiler's more often than a word to get in with: only behind one of these.
PASS = frozenset({"db", "user", "admin", "root", "smtp", "ftp", "http", "proxy", "login"})
# In tables of facts a bare `key` names an entry; there it takes one of these before it.
KEYS = frozenset(
    {"api", "access", "private", "secret", "ssh", "auth", "encryption", "signing", "account", "master", "service"}
)
# Programs -> options that take a secret: `-p VALUE` or `-pVALUE`.
OPTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mariadb", "sshpass", "mongo", "mongosh"), ("-p",)),
    **dict.fromkeys(("curl",), ("-u", "-U", "--user", "--proxy-user", "--oauth2-bearer", "--pass", "--proxy-pass")),
    **dict.fromkeys(("redis-cli",), ("-a",)),
    **dict.fromkeys(("zip", "unzip", "sqlcmd", "isql"), ("-P",)),
    **dict.fromkeys(("ldapsearch", "ldapmodify", "ldapadd"), ("-w",)),
    **dict.fromkeys(("7z", "7za"), ("-p",)),
    **dict.fromkeys(("openssl",), ("-passin", "-passout", "-pass")),
}
# `SHELL -c TEXT`: the text holds command lines of its own.
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
# Secrets by their form alone.
TOKENS = re.compile(
    r"\b(?:gh[opusr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|npm_\w{30,}|pypi-[\w-]{20,}"
    r"|sk-[\w-]{20,}|[spr]k_(?:live|test)_\w{10,}|A[KS]IA[0-9A-Z]{16}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}"
    r"|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*)"
)
# Each has a group `secret`.
PATTERNS = (
    re.compile(r"[a-z][\w+.-]*://[^/\s:@]*:(?P<secret>[^/\s@]+)@", re.IGNORECASE),
    re.compile(
        r"(?:\b|(?<=-H))authorization['\"]?\s*[:=]\s*['\"]?(?:(?:basic|bearer|token|digest)\s+)?(?P<secret>[^\s'\"]+)",
        re.I,
    ),
    re.compile(r"\bbearer\s+(?P<secret>(?=\S*\d)[\w.~+/-]{12,}=*)", re.IGNORECASE),
)
# `name` is asked whether it is a secret's; if not, `secret` is searched in turn (--env=TOKEN=...).
NAMED = (
    re.compile(r"(?<![\w.-])(?P<name>-{0,2}[A-Za-z][\w.-]*)=(?P<secret>\"[^\"]*\"|'[^']*'|[^\s&;,'\"]+)"),
    re.compile(r"(?<!\S)(?P<name>--?[A-Za-z][\w-]*)\s+(?P<secret>\"[^\"]*\"|\$?'[^']*'|(?!-)[^\s'\"]+)"),
    re.compile(r"(?P<quote>[\"'])(?P<name>[\w.-]+)(?P=quote)\s*:\s*[\"'](?P<secret>[^\"']+)"),
    re.compile(r"(?:(?<![\w.-])|(?<=-H))(?P<name>[A-Za-z][\w-]*-[\w-]*[A-Za-z]):\s*(?P<secret>[^\s'\"]+)"),
)
HOMES = re.compile(
    r"(?:(?<![\w./~-])|(?<=-[A-Z]))(?:(?:/[\w.-]+){0,2}?/(?:home|Users)/(?P<who>[^/\s:'\"=,;]+)|/root(?![\w.-]))"
)
AFTER_SCHEME = re.compile(r"(?<=://)/(?:home|Users)/(?P<who>[^/\s:'\"=,;]+)")
SHORTEST = 4  # a known secret of fewer letters is not looked for in other texts


def is_secret(name: str, in_facts: bool = False) -> bool:
    """Whether what bears this name (--db-password, GITHUB_TOKEN, apiKey) is a secret."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.strip("-")).lower().replace("_", "-").replace(".", "-").split("-")
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last.endswith(ENDS) or (last == "pass" and before in PASS):
        return True
    if last not in WORDS or before in PLAIN:
        return False
    return not (in_facts and last == "key" and before not in KEYS)


def quote_word(word: str) -> str:
    """The word in a shell's quotes; our marks need none."""
    plain = re.sub(r"\[hidden(-\d+)?\]|~", "x", word)
    return word if shlex.quote(plain) == plain else shlex.quote(word)


def _forms(value: str) -> tuple[Callable[[str], str], ...]:
    """The forms of `value` in texts: as it is, and with what can't be printed escaped in either way."""
    return (str,) if value.isprintable() else (str, encodable, printable)


@dataclass(slots=True)
class Masker:
    """Masks secrets. One for all that is shown together: its marks are numbered in the order of first use."""

    _marks: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _commands: dict[str, str] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _alike: dict[int, tuple[Any, Any]] = field(default_factory=dict)  # by id; the object is held, so that it stays its

    def learn(self, cases: Iterable[Sequence[tuple[str, Any]]]) -> Masker:
        """Number the secrets in the options of all cases first: the marks are then the same in every process."""
        for options in cases:
            self.options(options)
        return self

    def mark(self, value: str) -> str:
        """The mark of a secret."""
        return value if re.fullmatch(r"\[hidden(-\d+)?\]", value) else self._mark(HIDDEN, value, "[hidden-{}]")

    def text(self, text: str) -> str:
        """Any text: a message, a path, a line of output, a command within a sentence."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = self._mask(text)
        return known

    def command(self, text: str, other: bool = False) -> str:
        """A command line. `other`: a program that hwprof did not start, of which only the name is shown."""
        key = f"{other} {text}"
        if key not in self._commands:
            try:
                words = shlex.split(text)
            except ValueError:  # an open quote: no shell wrote it
                words = text.split()
            if other:
                name = PurePosixPath(words[0]).name if words else ""
                shown = self._mark(f"program {name}", text, name + "-{}", name)
            else:
                shown = " ".join(map(quote_word, self.words(words)))
            self._commands[key] = shown
            self._texts.clear()
        return self._commands[key]

    def words(self, words: Sequence[str]) -> list[str]:
        """The words of a command line; a secret may be a word of its own."""
        shown: list[str] = []
        short: tuple[str, ...] = ()
        secret_next = shell = script_next = False
        for word in words:
            shell = shell or PurePosixPath(word).name in SHELLS
            short = OPTIONS.get(PurePosixPath(word).name, short)
            attached = next((o for o in short if word.startswith(o) and word != o and o != "-pass"), None)
            if script_next:
                shown.append(self.script(word))
            elif secret_next and not word.startswith("-"):
                shown.append(self.mark(word))
                short = short if len(short) > 1 else ()  # sshpass -p SECRET ssh -p 22
            elif attached and not word.startswith("--"):
                shown.append(attached + self.mark(word.removeprefix(attached)))
                short = short if len(short) > 1 else ()
            elif (equals := re.fullmatch(r"(-{0,2}[A-Za-z][\w.-]*)=(.+)", word, re.DOTALL)) and is_secret(equals[1]):
                shown.append(f"{equals[1]}={self.mark(equals[2])}")
            else:
                shown.append(self.text(word))
            secret_next = word in short or (bool(re.fullmatch(r"--?[A-Za-z][\w-]*", word)) and is_secret(word))
            script_next = shell and bool(re.fullmatch(r"-[a-z]*c", word))
        return shown

    def script(self, text: str) -> str:
        """The text of `SHELL -c TEXT`: secrets as in any text, then in its words; white space stays."""
        parts = re.split(r"(\s+)", self.text(text))
        parts[::2] = self.words(parts[::2])
        return "".join(parts)

    def options(self, options: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
        """Options of a case, its command among them."""
        other = dict(options).get(ATTACHED) is True
        return tuple((name, self._option(name, value, other)) for name, value in options)

    def case(self, case: Case) -> Case:
        """As `options`, and its names."""
        return dataclasses.replace(
            case,
            network=self.text(case.network),
            recipe=self.text(case.recipe),
            options=self.options(case.options),
            shape=self.text(case.shape),
        )

    def data(self, value: Any, name: str = "") -> Any:
        """Facts: every text in lists and tables, and what has a secret's name."""
        if isinstance(value, str):
            return self.mark(value) if value and name and is_secret(name, in_facts=True) else self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.data(one, str(key)) for key, one in value.items()}
        if isinstance(value, list | tuple):
            if name == "argv" and all(isinstance(word, str) for word in value):
                return self.words(value)
            return [self.data(one) for one in value]
        return value

    def run(self, run: Run) -> Run:
        """A run as others may see it; its numbers are unchanged."""
        facts = self.data(run.facts)
        if run.case.option(ATTACHED) is True:
            facts.pop("argv", None)
        failure = run.failure
        if failure is not None:
            parts = {name: self.text(getattr(failure, name)) for name in ("message", "remedy", "log")}
            failure = dataclasses.replace(failure, **parts)
        windows = tuple(
            dataclasses.replace(w, readings=tuple(self._reading(r) for r in w.readings))
            if any(r.why and self.text(r.why) != r.why for r in w.readings)
            else w
            for w in run.windows
        )
        return dataclasses.replace(
            run,
            case=self._once(run.case, self.case),
            windows=windows,
            facts=facts,
            failure=failure,
            doubts=tuple(dataclasses.replace(d, detail=self.data(d.detail)) for d in run.doubts),
            **{
                name: self._once(getattr(run, name), self.data) for name in ("env", "machine", "host_state", "software")
            },
        )

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns of text of the frame of a results file."""
        commands = f"option.{COMMAND}"
        for column in [name for name, kind in frame.dtypes.items() if kind.kind == "O"]:
            name = str(column).removeprefix("option.")
            if column == commands and f"option.{ATTACHED}" in frame:
                others = [value is True for value in frame[f"option.{ATTACHED}"]]
            else:
                others = [False] * len(frame)
            frame[column] = [
                self._option(name, value, other) if column == commands or name != column else self.data(value)
                for value, other in zip(frame[column], others, strict=True)
            ]
        frame.attrs["results"] = self.text(frame.attrs.get("results", ""))
        return frame

    def _option(self, name: str, value: Any, other: bool) -> Any:
        if not isinstance(value, str):
            return value
        if name == COMMAND:
            return self.command(value, other)
        return self.mark(value) if value and is_secret(name) else self.text(value)

    def _reading(self, reading: Any) -> Any:
        return dataclasses.replace(reading, why=self.text(reading.why)) if reading.why else reading

    def _once(self, value: Any, mask: Callable[[Any], Any]) -> Any:
        """`mask` of what many runs share."""
        known = self._alike.get(id(value))
        if known is None:
            known = self._alike[id(value)] = value, mask(value)
        return known[1]

    def _mark(self, kind: str, value: str, form: str, first: str = "") -> str:
        if (kind, value) not in self._marks:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._marks[kind, value] = (first or kind) if number == 1 else form.format(number)
            self._texts.clear()
        return self._marks[kind, value]

    def _mask(self, text: str) -> str:
        for key in sorted(self._commands, key=len, reverse=True):  # one that holds another first
            whole = key.partition(" ")[2]
            if len(whole) >= SHORTEST and " " in whole:
                for form in _forms(whole):
                    text = text.replace(form(whole), form(self._commands[key]))
        text = TOKENS.sub(lambda m: self.mark(m[0]), text)
        for pattern in (*PATTERNS, *NAMED):
            text = self._parts(pattern, text)
        for (kind, value), mark in list(self._marks.items()):
            if kind == HIDDEN and len(value) >= SHORTEST:
                for known in {form(value) for form in _forms(value)}:
                    if known in text:
                        text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", lambda _, m=mark: m, text)  # type: ignore[misc]
        text = HOMES.sub(self._home, text)
        return AFTER_SCHEME.sub(lambda m: "/" + self._home(m), text)

    def _parts(self, pattern: re.Pattern[str], text: str) -> str:
        shown, done, at = [], 0, 0
        while match := pattern.search(text, at):
            at = match.start("secret")
            name = match.groupdict().get("name")
            if name is None or is_secret(name):
                shown += [text[done:at], self.mark(match["secret"].removeprefix("$'").strip("'\""))]
                done = at = match.end("secret")
        return "".join([*shown, text[done:]])

    def _home(self, match: re.Match[str]) -> str:
        return self._mark(HOME, match[0], "~{}")
