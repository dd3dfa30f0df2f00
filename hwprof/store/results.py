"""A results file: runs are saved one by one, and read back as records or as a DataFrame."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, delete, exists, func, insert, select

from hwprof.errors import ResultsError
from hwprof.records import Ceiling, Kind, Run, to_json
from hwprof.store import catalogue, machines, merge, migrate, reader, schema, validation, writer
from hwprof.store.database import TIMEOUT_S, Database, check_file, make_file
from hwprof.store.machines import Tuning
from hwprof.store.masking import Masker
from hwprof.store.readings import insert_one
from hwprof.store.scope import RunFilter, Scope
from hwprof.store.selection import LAST

if TYPE_CHECKING:
    import pandas as pd

# (key of the case, kind, round); kinds compare equal to their names
Key = tuple[str, str, int]


class Results:
    """An open results file. Several processes may write into the same one; every run is one transaction."""

    def __init__(self, database: Database, is_new: bool = False) -> None:
        self._database = database
        self._is_new = is_new
        self._words: tuple[tuple[str, ...], str, bool] | None = None
        self.scope: Scope | None = None  # what `choose` has chosen

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], create: bool = False, timeout_s: float = TIMEOUT_S, masked: bool = False
    ) -> Results:
        """Open the file at `path`; `create`: make it if it is missing or empty. An old one is migrated.

        `timeout_s`: how long to wait for another writer; `masked`: what is read hides secrets, home folders and other
        programs' arguments (hwprof.store.masking). Raises ResultsError for a file that is missing, can't be
        read or written, is locked, is no results file, or is of a newer hwprof.
        """
        place, is_new = Path(path), False
        if not check_file(place):
            if not place.exists() and not create:
                raise ResultsError(f"no results file {place}", "name one with --results FILE, or measure first")
            is_new = create and make_file(place)
        database = Database(place, timeout_s)
        try:
            migrate.bring_up_to_date(database, create)
            if masked:
                with database.read() as connection:
                    known = connection.scalars(select(schema.cases.c.options).order_by(schema.cases.c.id)).all()
                database.masker = Masker().learn([(str(n), v) for n, v in options] for options in known)
        except BaseException:
            database.close()
            if is_new:
                place.unlink(missing_ok=True)
            raise
        return cls(database, is_new)

    @classmethod
    def create(cls, path: str | os.PathLike[str], timeout_s: float = TIMEOUT_S) -> Results:
        """A new results file. Raises ResultsError where there is something already."""
        if check_file(Path(path)):
            raise ResultsError(f"{path} exists already", "open it, or name another file")
        return cls.open(path, create=True, timeout_s=timeout_s)

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._database.path

    @property
    def name(self) -> str:
        """The file as a command has to name it; "" where that is the default one."""
        return self._database.name

    @property
    def database(self) -> Database:
        """For bulk queries."""
        return self._database

    def close(self) -> None:
        """Release the file. Everything added is saved already."""
        self._database.close()

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Close after an error: a file that `open` has made, and that holds nothing yet, is deleted."""
        if self._is_new:
            with contextlib.suppress(ResultsError):  # the error that ended this may be of the file itself
                self._database.write(self._delete_if_void)
        self.close()

    def _delete_if_void(self, connection: Any) -> None:
        """With the file locked: SQLite refuses whoever waits to write into a file that was deleted."""
        tables = [table for table in schema.metadata.sorted_tables if table is not schema.meta]
        if not any(connection.scalar(select(exists().select_from(table))) for table in tables):
            self.path.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"Results({os.fspath(self.path)!r})"

    def ensure_writable(self) -> None:
        """Write a date to the file, before a long sweep; ResultsError if that can't be done."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

        def touch(connection: Any) -> None:
            connection.execute(delete(schema.meta).where(schema.meta.c.key == "last_opened_utc"))
            connection.execute(insert(schema.meta), {"key": "last_opened_utc", "value": now})

        self._database.write(touch)

    # ---- writing

    def begin_experiment(self, name: str, toml: str, plan_hash: str, seed: int) -> int:
        """Id of the experiment with this plan; the one that was begun before is resumed."""
        table = schema.experiment

        def begin(connection: Any) -> int:
            known = connection.scalar(select(table.c.id).where(table.c.plan_hash == plan_hash))
            if known is not None:
                return int(known)
            row = {"name": name, "toml": toml, "plan_hash": plan_hash, "seed": seed}
            return insert_one(connection, table, row)

        return self._database.write(begin)

    def add(self, run: Run, experiment_id: int | None = None) -> int:
        """Save one run with everything in it, in one transaction; its row id.

        Raises AlreadyDone where this round of this case has a good run in the experiment, ResultsError where the uid
        is known or the file can't be written; the file is then as it was before.
        """
        return self._database.write(lambda connection: writer.add_run(connection, run, experiment_id))

    def add_all(self, runs: Sequence[Run], experiment_id: int | None = None) -> None:
        """Save runs in one transaction, all or none; otherwise as `add`."""
        self._database.write(lambda connection: [writer.add_run(connection, run, experiment_id) for run in runs])

    def add_validation(
        self, machine: Mapping[str, Any], host_state: Mapping[str, Any], found: Sequence[validation.NewVerdict]
    ) -> None:
        """Store verdicts on events with their host; readings of events that failed there are SUSPECT from now on."""
        self._database.write(lambda connection: validation.add(connection, machine, host_state, found))

    def add_tuning(
        self, machine: Mapping[str, Any], key: str, winner: Mapping[str, Any], evidence: Mapping[str, Any]
    ) -> None:
        """Store the winner of a tuning on this machine; an earlier one of the same subject is replaced."""
        self._database.write(lambda connection: machines.add_tuning(connection, machine, key, winner, evidence))

    def add_ceilings(self, machine: Mapping[str, Any], host_state: Mapping[str, Any], found: Sequence[Ceiling]) -> None:
        """Store the ceilings of this host; one that could not be measured is no row."""
        self._database.write(lambda connection: machines.add_ceilings(connection, machine, host_state, found))

    def ceilings(self) -> list[Ceiling]:
        """Every machine's ceilings, the last of each name."""
        with self._database.read() as connection:
            found = machines.ceilings(connection)
        if (masker := self._database.masker) is None:
            return found
        return [
            dataclasses.replace(c, what=masker.text(c.what), of=masker.text(c.of), evidence=masker.data(c.evidence))
            for c in found
        ]

    def machines(self) -> dict[str, Mapping[str, Any]]:
        """Hardware facts by machine_id as in the frame."""
        m = schema.machine
        with self._database.read() as connection:
            return {f"{row.id:016x}": row.facts for row in connection.execute(select(m.c.id, m.c.facts))}

    def merge(self, other: str | os.PathLike[str]) -> merge.MergeResult:
        """Take in the runs of another results file; those known by their uid are skipped. Can be repeated.

        Experiments of the same plan become one. One transaction per run: what was taken in before an error stays.
        """
        place = Path(other)
        if place.exists() and self.path.exists() and place.samefile(self.path):
            raise ResultsError(f"{place} is the file itself", "name another results file")
        added, known = 0, 0
        rivals: list[str] = []
        with Results.open(place, timeout_s=self._database.timeout_s) as source:
            with source._database.read() as connection:
                ids = list(connection.scalars(select(schema.run.c.id).order_by(schema.run.c.id)))
                tables, metrics = merge.machine_rows(connection)
            self._database.write(lambda connection: merge.add_machine_rows(connection, tables, metrics))
            for identity in ids:
                with source._database.read() as connection:
                    parcel = merge.pack(connection, identity)
                done = self._database.write(functools.partial(merge.unpack, parcel=parcel))
                added += done is True
                known += done is False
                if done is None:
                    rivals.append(parcel.run["uid"])
        return merge.MergeResult(added, known, tuple(rivals))

    # ---- reading

    def choose(
        self, words: Sequence[str] = (), default: str = LAST, reruns: bool = False, selectors: Sequence[str] = ()
    ) -> Scope:
        """Restrict what is read from now on to the runs that `words` select (hwprof.store.selection).

        `default`: the experiment where they name none. `reruns`: with what `hwprof explain` measured of them again.
        `selectors`: words that will select of these runs; if they name an experiment, runs or times, the default is
        every run. Raises UsageError for a word that names nothing, ResultsError where no run fits.
        """
        with self._database.read() as connection:
            default = catalogue.default_of(connection, selectors, str(self.path), default)
            chosen = catalogue.choose(connection, words, str(self.path), default, reruns)
        self._words = tuple(words), default, reruns
        self._database.condition = None if chosen.condition.is_open else chosen.condition
        self.scope = chosen if self._database.masker is None else chosen.mask(self._database.masker)
        return self.scope

    def choose_again(self) -> None:
        """Apply the words of `choose` to what was saved meanwhile; nothing where it was not called."""
        if self._words is not None:
            self.choose(*self._words)

    def done(self, experiment_id: int, machine: Mapping[str, Any] | None = None) -> set[Key]:
        """What has a good run: (key of the case, kind, round). `machine`: only runs of this hardware."""
        return set(self._count(experiment_id, "ok", machine))

    def failed(self, experiment_id: int, machine: Mapping[str, Any] | None = None) -> dict[Key, int]:
        """Attempts so far of what has failed and has no good run: (key of the case, kind, round) -> number."""
        done = self.done(experiment_id, machine)
        return {key: n for key, n in self._count(experiment_id, "failed", machine).items() if key not in done}

    def _count(self, experiment_id: int, status: str, machine: Mapping[str, Any] | None) -> dict[Key, int]:
        r, c = schema.run, schema.cases
        query = (
            select(c.c.sha256, r.c.kind, r.c.round, func.count())
            .join(c, r.c.case_id == c.c.id)
            .where(r.c.experiment_id == experiment_id, r.c.status == status)
            .group_by(c.c.sha256, r.c.kind, r.c.round)
        )
        if machine is not None:
            query = query.where(r.c.machine_id == schema.content_id(to_json(machine)))
        with self._database.read() as connection:
            return {(key, Kind(kind), number): count for key, kind, number, count in connection.execute(query)}

    def find(self, prefix: str) -> Run:
        """The run whose uid begins with `prefix`. ResultsError where none or several do."""
        with self._database.read() as connection:
            return self._mask(next(reader.runs(connection, [reader.id_of(connection, prefix)])))

    def runs(
        self,
        kind: str | None = None,
        experiment: int | None = None,
        status: str | None = None,
        framework: str | None = None,
        network: str | None = None,
        ids: Sequence[int] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> Iterator[Run]:
        """The chosen runs as records, in the order in which they were saved; streamed, so that the file may be large.

        `ids`: these rows (`hwprof.store.listing.Entry.order`). Both these and `experiment` are taken from all runs.
        `metrics`: with the readings of these alone and without series, for who needs no more of many runs.
        """
        r, c = schema.run, schema.cases
        query: Select[Any] = select(r.c.id).join(c, r.c.case_id == c.c.id).order_by(r.c.id)
        for column, value in (
            (r.c.kind, kind),
            (r.c.experiment_id, experiment),
            (r.c.status, status),
            (c.c.framework, framework),
            (c.c.network, network),
        ):
            if value is not None:
                query = query.where(column == value)
        wanted = None if ids is None else set(ids)
        if wanted is not None and len(wanted) <= reader.CHUNK_OF_FEW:
            query = query.where(r.c.id.in_(wanted))
        elif wanted is None and experiment is None:
            query = RunFilter(None, self._database.condition).apply(query)
        with self._database.read() as connection:
            found = [identity for identity in connection.scalars(query) if wanted is None or identity in wanted]
        size = reader.CHUNK if metrics is None else reader.CHUNK_OF_FEW
        facts: reader.Facts = {}
        for start in range(0, len(found), size):
            with self._database.read() as connection:
                chunk = list(reader.runs(connection, found[start : start + size], metrics, facts))
            yield from map(self._mask, chunk)

    def experiments(self) -> list[reader.StoredExperiment]:
        """All experiments with chosen runs, the oldest first; all where nothing was chosen."""
        with self._database.read() as connection:
            found = reader.experiments(connection, RunFilter(None, self._database.condition))
        found = [e for e in found if self._database.condition is None or e.ok or e.failed]
        if (masker := self._database.masker) is None:
            return found
        return [dataclasses.replace(e, name=masker.text(e.name), toml=masker.text(e.toml)) for e in found]

    def _mask(self, run: Run) -> Run:
        return run if self._database.masker is None else self._database.masker.run(run)

    def tunings(self, machine: Mapping[str, Any] | None = None) -> list[Tuning]:
        """Winners of tunings. `machine`: only those of this hardware."""
        with self._database.read() as connection:
            return machines.tunings(connection, machine)

    def frame(self, kind: str | None = "native") -> pd.DataFrame:
        """One row per run with tidy columns (see hwprof.store.frame); `kind` None: runs of every kind."""
        from hwprof.store.frame import build

        frame = build(self._database, kind)
        return frame if self._database.masker is None else self._database.masker.frame(frame)

    def over_time(self, kind: str | None = "native") -> pd.DataFrame:
        """Frames per second over time, one row per slice or bin (see hwprof.store.over_time); `kind` as of `frame`."""
        from hwprof.store.over_time import build

        frame = build(self._database, kind)
        return frame if self._database.masker is None else self._database.masker.frame(frame)
