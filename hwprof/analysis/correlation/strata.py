"""Which rows may be compared with which, and their collapse to one value per framework and network.

Rows of different machines, affinities, numbers of threads, precisions or input sizes are never pooled: each
combination is a stratum of its own, and every result says of which stratum it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.errors import ResultsError
from hwprof.networks.blocks import BLOCKS, PREFIX
from hwprof.store.columns import UNRECORDED

Floats = NDArray[np.float64]

REQUIRED = ("framework", "network", "batch", "round", "status", "fps")
# Columns that `label` adds: a framework with those of its options that vary, and a network with its recipe where
# one name stands for several contents.
VARIANT, NETWORK = "variant", "net"


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
    """One log value per network, of shape (networks, columns); `cells`: how many network x batch cells they are of."""

    networks: tuple[str, ...]
    values: Floats
    cells: int
    batches: tuple[int, ...]


def require(frame: pd.DataFrame, columns: Sequence[str] = REQUIRED) -> None:
    """Raise ResultsError where a column that the analysis rests on is not there."""
    lacking = [c for c in columns if c not in frame.columns]
    if lacking:
        raise ResultsError(f"the frame lacks {', '.join(lacking)}", "take it from Results.frame()")


def label(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy with the columns `variant` and `net`; a framework's options appear only where they vary within it."""
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
    out[VARIANT] = names + calls(frame)
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
    is_block = frame["network"].astype(str).str.startswith(PREFIX)
    sizes = pd.concat(parts).reindex(frame.index)
    keys["size"] = sizes.where(~is_block, f"{BLOCKS}, " + sizes)
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


def network_effects(networks: Sequence[str], batches: Sequence[int], values: Floats) -> Collapsed:
    """Centre batches and average: the network effects of the additive model network + batch, least squares.

    `values` has shape (cells, columns), without NaN; `networks` and `batches` name each cell. With a complete table
    this is the plain mean over batches. Where the table falls apart (no batch links two networks), only the batch
    with most networks is used: `batches` of the result says which were.
    """
    names = tuple(sorted(set(networks)))
    sizes = tuple(sorted(set(batches)))
    row = np.array([names.index(n) for n in networks])
    column = np.array([sizes.index(b) for b in batches])
    design = np.zeros((len(row), len(names) + max(0, len(sizes) - 1)))
    design[np.arange(len(row)), row] = 1
    if len(sizes) > 1:
        # effects that sum to zero over batches, so that a network's effect is its mean over batches
        codes = np.vstack([np.eye(len(sizes) - 1), -np.ones(len(sizes) - 1)])
        design[:, len(names) :] = codes[column]
        if np.linalg.matrix_rank(design) < design.shape[1]:
            best = max(range(len(sizes)), key=lambda j: (int((column == j).sum()), -j))
            keep = [int(i) for i in np.flatnonzero(column == best)]
            return network_effects([networks[i] for i in keep], [batches[i] for i in keep], values[keep])
    effects: Floats = np.linalg.lstsq(design, values, rcond=None)[0][: len(names)].astype(np.float64)
    return Collapsed(names, effects, len(row), sizes)


class Logs:
    """The rows of one framework variant and, per (net, batch), the mean log of any column: computed once, then kept.

    With hundreds of metrics the same few columns are asked for hundreds of times.
    """

    def __init__(self, frame: pd.DataFrame, variant: str) -> None:
        self.part = frame[frame[VARIANT] == variant].copy()
        self.part.attrs = {}  # pandas copies them deeply at every step
        keys = zip(self.part[NETWORK].astype(str), self.part["batch"].astype(int), strict=True)
        codes, found = pd.factorize(pd.Series(list(keys), dtype=object), sort=True)
        self._codes, self._cells = codes, [(str(n), int(b)) for n, b in found]
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
        return Collapsed(one.networks, values, one.cells, one.batches)

    def _over(self, cells: NDArray[np.bool_], key: bytes) -> Collapsed:
        """What makes cells into network effects, (networks, cells): most metrics have the same cells, and the design
        is solved once for them."""
        if key not in self._effects:
            networks, batches = zip(*(self._cells[i] for i in np.flatnonzero(cells)), strict=True)
            self._effects[key] = network_effects(networks, batches, np.eye(len(networks)))
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
