"""Which rows may be compared with which, and their collapse to one value per framework and network.

Rows of different machines, affinities, numbers of threads, precisions or input sizes are never pooled: each
combination is a stratum of its own, and every result says of which stratum it is. A machine under several kernels or
governors is several machines, and a framework in several versions is several variants. Sessions and experiments of one
stratum are blocks: what they differ by as a whole is taken out before rounds are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.errors import ResultsError
from hwprof.store.columns import UNRECORDED

Floats = NDArray[np.float64]

REQUIRED = ("framework", "network", "batch", "round", "status", "fps")
Block = tuple[int, str]  # batch and session
# Columns that `label` adds: a framework with those of its options that vary, and a network with its recipe where
# one name stands for several contents.
VARIANT, NETWORK = "variant", "net"
# Column that `label` adds: the experiment and session of a run; rounds are of one block.
BLOCK = "block"
# What a machine may be set to, and how its name says so where there are several.
SETTINGS = {"kernel": "kernel ", "governor": "governor "}


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """What all rows of one comparison have in common. `size`: '224 px', or the range where each network has one."""

    machine: str
    threads: str
    cpus: str
    precision: str
    size: str

    @property
    def title(self) -> str:
        """The stratum in words."""
        threads = f"{self.threads} thread{'' if self.threads == '1' else 's'}"
        pinned = f"CPUs {self.cpus}" if self.cpus else "not pinned"
        if self.threads == "0":
            threads, pinned = "threads as tuned", "CPUs as tuned"
        parts = [f"machine {self.machine}" if self.machine else "", threads, pinned, self.precision, self.size]
        return " · ".join(p for p in parts if p)


@dataclass(frozen=True, slots=True)
class Collapsed:
    """One log value per network, of shape (networks, columns); `cells`: how many network x batch cells they are of.

    `blocks`: the sessions that they are of.
    """

    networks: tuple[str, ...]
    values: Floats
    cells: int
    batches: tuple[int, ...]
    blocks: tuple[str, ...] = ()


def require(frame: pd.DataFrame, columns: Sequence[str] = REQUIRED) -> None:
    """Raise ResultsError where a column that the analysis rests on is not there."""
    lacking = [c for c in columns if c not in frame.columns]
    if lacking:
        raise ResultsError(f"the frame lacks {', '.join(lacking)}", "take it from Results.frame()")


def label(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy with the columns `variant`, `net` and `block`; what varies within a framework or machine is in its name."""
    require(frame)
    out = frame.copy()
    out.attrs = dict(frame.attrs)
    options = sorted(c for c in frame.columns if c.startswith("option."))
    names = frame["framework"].astype(str)
    for column in options:
        text = frame[column].map(lambda v: "" if v is None or v != v else str(v))
        varies = text.groupby(frame["framework"]).transform("nunique") > 1
        suffix = " " + column.removeprefix("option.") + "=" + text.where(text != "", "default")
        names = names + suffix.where(varies, "")
    if "tuned" in frame.columns:
        # each case with its own best parameters is one variant, whatever their values
        tuned = frame["tuned"].notna()
        names = names.where(~tuned, frame["framework"].astype(str) + " " + frame["tuned"].fillna("").astype(str))
        free = frame["threads_tuned"].astype(bool)
        out["threads"] = frame["threads"].where(~free, 0)
        out["cpus"] = frame["cpus"].where(~free, "tuned")
    out[VARIANT] = names + calls(frame) + _versions(frame)
    if "machine" in frame.columns:
        out["machine"] = frame["machine"].map(_text) + _settings(frame)
    out[BLOCK] = _blocks(frame)
    nets = frame["network"].astype(str)
    if "recipe" in frame.columns:
        recipes = frame["recipe"].fillna("").astype(str)
        several = recipes.groupby(frame["network"]).transform("nunique") > 1
        nets = nets + (" [" + recipes.str.slice(0, 8) + "]").where(several, "")
    out[NETWORK] = nets
    return out


def calls(frame: pd.DataFrame) -> pd.Series:
    """` call=NAME` after each framework that was called in several ways: what a call costs is part of its speed."""
    if "call" not in frame.columns:
        return pd.Series("", index=frame.index)
    text = frame["call"].fillna("").astype(str)
    several = text.groupby(frame["framework"]).transform("nunique") > 1
    return (" call=" + text.where(text != "", UNRECORDED)).where(several, "")


def _versions(frame: pd.DataFrame) -> pd.Series:
    """` VERSION` after each framework of which one machine has several versions."""
    if "version" not in frame.columns:
        return pd.Series("", index=frame.index)
    text = frame["version"].map(_text)
    of = [frame["framework"], *([frame["machine"]] if "machine" in frame.columns else [])]
    several = text.groupby(of).transform("nunique") > 1
    return (" (" + text.where(text != "", f"version {UNRECORDED}") + ")").where(several, "")


def _settings(frame: pd.DataFrame) -> pd.Series:
    """` (kernel 6.12, governor powersave)` after each machine that was measured under several of them."""
    words = pd.Series("", index=frame.index)
    for column, name in SETTINGS.items():
        if column in frame.columns:
            text = frame[column].map(_text)
            several = text.groupby(frame["machine"]).transform("nunique") > 1
            one = name + text.where(text != "", UNRECORDED)
            words = words + (words.where(words == "", ", ") + one).where(several, "")
    return (" (" + words + ")").where(words != "", "")


def _blocks(frame: pd.DataFrame) -> pd.Series:
    """`quick, session 1f0c`: the experiment of each run and its session, where they are recorded."""
    known = {c: frame[c].map(_text) for c in ("experiment", "session") if c in frame.columns}
    out = known.get("experiment", pd.Series("", index=frame.index))
    session = known.get("session")
    if session is None:
        return out
    comma = pd.Series(", ", index=frame.index).where(out != "", "")
    return out + (comma + "session " + session).where(session != "", "")


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, list | tuple | np.ndarray):
        return ",".join(str(v) for v in value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _sizes(group: pd.DataFrame) -> pd.Series:
    """The size policy of each row: one size per network is one policy; a network at several sizes splits by size."""
    if "size" not in group.columns:
        return pd.Series("", index=group.index)
    if int(group.groupby(NETWORK)["size"].nunique().max()) > 1:
        return group["size"].map(lambda v: f"{_text(v)} px")
    known = sorted({int(v) for v in group["size"].dropna() if v})
    if not known:
        return pd.Series("", index=group.index)
    one = f"{known[0]} px" if len(known) == 1 else f"one size per network, {known[0]} to {known[-1]} px"
    return pd.Series(one, index=group.index)


def split(frame: pd.DataFrame) -> list[tuple[Stratum, pd.DataFrame]]:
    """The strata of a labelled frame, in a stable order; each with its own rows."""
    if frame.empty:
        return []
    keys = pd.DataFrame(index=frame.index)
    for column in ("machine", "threads", "cpus", "precision"):
        keys[column] = frame[column].map(_text) if column in frame.columns else ""
    parts: list[pd.Series] = []
    by = list(keys.columns)
    for _, group in keys.groupby(by, sort=True):
        parts.append(_sizes(frame.loc[group.index]))
    keys["size"] = pd.concat(parts).reindex(frame.index)
    out = []
    for key, group in keys.groupby([*by, "size"], sort=True):
        part = frame.loc[group.index].copy()
        part.attrs = dict(frame.attrs)
        machine, threads, cpus, precision, size = (str(k) for k in key)
        out.append((Stratum(machine, threads, cpus, precision, size), part))
    return out


def is_ok(frame: pd.DataFrame) -> pd.Series:
    """True where the run succeeded."""
    return frame["status"].astype(str) == "ok"


def is_unfaithful(frame: pd.DataFrame) -> pd.Series:
    """True where the outputs were compared with the reference and are beyond tolerance (unchecked: False)."""
    return ~is_unchecked(frame) & ~frame.get("faithful", pd.Series(True, index=frame.index)).astype(bool)


def is_unchecked(frame: pd.DataFrame) -> pd.Series:
    """True where nothing compared the outputs with the reference."""
    if "faithful" not in frame.columns:
        return pd.Series(True, index=frame.index)
    return frame["faithful"].map(lambda v: v is None or v != v).astype(bool)


def is_native(frame: pd.DataFrame) -> pd.Series:
    """True where the run was not slowed down by a simulator, so that its FPS means something."""
    if "kind" not in frame.columns:
        return pd.Series(True, index=frame.index)
    return frame["kind"].astype(str).isin(["native", "nan", "None"])


def usable_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that may enter a correlation: succeeded and not unfaithful; FPS of simulated runs is blanked.

    A cell (framework variant, network, batch) with one unfaithful run is out altogether, its simulated runs too.
    """
    cell = [VARIANT, NETWORK, "batch"]
    bad = is_unfaithful(frame).groupby([frame[c] for c in cell]).transform("any")
    out = frame[is_ok(frame) & ~bad].copy()
    out.attrs = dict(frame.attrs)
    out["fps"] = out["fps"].astype(float).where(is_native(out))
    return out


def cells(frame: pd.DataFrame, column: str, log: bool = True) -> pd.Series:
    """Mean over rounds of the log (or of the plain value) per (variant, net, batch); values <= 0 have no log: NaN."""
    values: pd.Series = frame[column].astype(float)
    if log:
        values = values.where(values > 0).transform(np.log)
    return values.groupby([frame[VARIANT], frame[NETWORK], frame["batch"]]).mean()


def network_effects(networks: Sequence[str], blocks: Sequence[Block], values: Floats) -> Collapsed:
    """Centre blocks and average: the network effects of the additive model network + block, least squares.

    `values` has shape (cells, columns), without NaN; `networks` and `blocks`, the batch and session, name each cell.
    With a complete table this is the plain mean over blocks. Where the table falls apart (no network links two blocks)
    each part is centred on its own, and only parts with the same batches are used: `batches` of the result says which.
    """
    parts = _linked(networks, blocks)
    alike: dict[tuple[int, ...], list[list[int]]] = {}
    for part in parts:
        alike.setdefault(tuple(sorted({blocks[i][0] for i in part})), []).append(part)
    batches, used = max(alike.items(), key=lambda item: (sum(map(len, item[1])), [-b for b in item[0]]))
    effects = {name: row for part in used for name, row in _effects(part, networks, blocks, values).items()}
    names = tuple(sorted(effects))
    cells = [i for part in used for i in part]
    return Collapsed(
        names, np.array([effects[n] for n in names]), len(cells), batches, tuple(sorted({blocks[i][1] for i in cells}))
    )


def _linked(networks: Sequence[str], blocks: Sequence[Block]) -> list[list[int]]:
    """Cells in parts that share neither a network nor a block."""
    parts: list[tuple[set[str], set[Block], list[int]]] = []
    for i, (network, block) in enumerate(zip(networks, blocks, strict=True)):
        mine = ({network}, {block}, [i])
        rest = []
        for part in parts:
            if network in part[0] or block in part[1]:
                mine = (mine[0] | part[0], mine[1] | part[1], part[2] + mine[2])
            else:
                rest.append(part)
        parts = [*rest, mine]
    return [sorted(part[2]) for part in parts]


def _effects(
    part: Sequence[int], networks: Sequence[str], blocks: Sequence[Block], values: Floats
) -> dict[str, Floats]:
    """Network effects of linked cells, by network."""
    names, found = sorted({networks[i] for i in part}), sorted({blocks[i] for i in part})
    design = np.zeros((len(part), len(names) + len(found) - 1))
    design[np.arange(len(part)), [names.index(networks[i]) for i in part]] = 1
    if len(found) > 1:
        # effects that sum to zero over blocks, so that a network's effect is its mean over blocks
        codes = np.vstack([np.eye(len(found) - 1), -np.ones(len(found) - 1)])
        design[:, len(names) :] = codes[[found.index(blocks[i]) for i in part]]
    solved = np.linalg.lstsq(design, values[list(part)], rcond=None)[0][: len(names)].astype(np.float64)
    return dict(zip(names, solved, strict=True))


class Logs:
    """The rows of one framework variant and, per network and block, the mean log of any column: computed, then kept.

    With hundreds of metrics the same few columns are asked for hundreds of times.
    """

    def __init__(self, frame: pd.DataFrame, variant: str) -> None:
        self.part = frame[frame[VARIANT] == variant].copy()
        self.part.attrs = {}  # pandas copies them deeply at every step
        parts = (self.part[NETWORK].astype(str), self.part["batch"].astype(int), self.part[BLOCK].astype(str))
        codes, found = pd.factorize(pd.Series(list(zip(*parts, strict=True)), dtype=object), sort=True)
        self._codes, self._cells = codes, [(str(n), (int(b), str(session))) for n, b, session in found]
        networks = {name: at for at, name in enumerate(sorted({n for n, _ in self._cells}))}
        self._network = np.array([networks[n] for n, _ in self._cells], dtype=np.int64)
        self._means: dict[str, Floats] = {}
        self._values: dict[str, Floats] = {}
        self._effects: dict[bytes, Collapsed] = {}
        self._effect: dict[tuple[bytes, str], Floats] = {}
        self._collapsed: dict[tuple[str, ...], Collapsed] = {}

    def values(self, column: str) -> Floats:
        """A column of `part` as plain numbers; NaN: missing."""
        if column not in self._values:
            self._values[column] = self.part[column].to_numpy(float, na_value=np.nan)
        return self._values[column]

    def mean(self, column: str) -> Floats:
        """Mean over rounds of the log of a column, one per cell; NaN where no value is above 0."""
        if column not in self._means:
            values = self.values(column)
            good = np.isfinite(values) & (values > 0)
            size = len(self._cells)
            sums = np.bincount(self._codes[good], np.log(values[good]), size)
            counts = np.bincount(self._codes[good], minlength=size)
            self._means[column] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        return self._means[column]

    def collapse(self, columns: Sequence[str]) -> Collapsed:
        """One log value per network for each of `columns`, over the cells that have them all."""
        key = tuple(columns)
        if key not in self._collapsed:
            self._collapsed[key] = self._collapse(key)
        return self._collapsed[key]

    def _collapse(self, columns: tuple[str, ...]) -> Collapsed:
        cells = np.logical_and.reduce([np.isfinite(self.mean(c)) for c in columns])
        if not cells.any():
            return Collapsed((), np.empty((0, len(columns))), 0, ())
        key = cells.tobytes()
        one = self._over(cells, key)
        # the same target and the same covariates recur with each of hundreds of metrics
        for column in columns:
            if (key, column) not in self._effect:
                self._effect[key, column] = one.values @ self.mean(column)[cells]
        values = np.array([self._effect[key, column] for column in columns]).T
        return Collapsed(one.networks, values, one.cells, one.batches, one.blocks)

    def _over(self, cells: NDArray[np.bool_], key: bytes) -> Collapsed:
        """What makes cells into network effects, (networks, cells): most metrics have the same cells, and the design
        is solved once for them."""
        if key not in self._effects:
            networks, blocks = zip(*(self._cells[i] for i in np.flatnonzero(cells)), strict=True)
            self._effects[key] = network_effects(networks, blocks, np.eye(len(networks)))
        return self._effects[key]

    def noise(self, column: str) -> tuple[float, int, Floats]:
        """(sum of squares within cells of the log of a column, its degrees of freedom, values per network)."""
        values = self.values(column)
        good = np.isfinite(values) & (values > 0)
        codes, logs = self._codes[good], np.log(values[good])
        counts = np.bincount(codes, minlength=len(self._cells))
        means = np.bincount(codes, logs, len(self._cells)) / np.maximum(counts, 1)
        squares = float(((logs - means[codes]) ** 2).sum())
        per_network: Floats = np.bincount(self._network, counts).astype(np.float64)
        return squares, int(np.maximum(counts - 1, 0).sum()), per_network[per_network > 0]
