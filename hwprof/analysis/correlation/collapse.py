"""One value per framework and network: the mean log over rounds, then over batches and sessions (centred)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.analysis.correlation.strata import BLOCK, NETWORK, VARIANT

Floats = NDArray[np.float64]
Block = tuple[int, str]  # batch and session


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
        numeric = self.part.select_dtypes("number")
        self._numbers = np.asfortranarray(numeric.to_numpy(float, na_value=np.nan))
        self._places = {name: at for at, name in enumerate(numeric.columns)}
        self._means: dict[str, Floats] = {}
        self._finite: dict[str, NDArray[np.bool_]] = {}
        self._values: dict[str, Floats] = {}
        self._counts: dict[bytes, tuple[NDArray[np.int64], NDArray[np.int64], int, Floats]] = {}
        self._effects: dict[bytes, Collapsed] = {}
        self._effect: dict[tuple[bytes, str], Floats] = {}
        self._collapsed: dict[tuple[str, ...], Collapsed] = {}

    @property
    def networks(self) -> NDArray[np.int64]:
        """The number of the network of each row of `part`."""
        return np.asarray(self._network[self._codes], dtype=np.int64)

    def values(self, column: str) -> Floats:
        """A column of `part` as plain numbers; NaN: missing."""
        if column in self._places:
            return np.asarray(self._numbers[:, self._places[column]])
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

    def ranks(self, column: str) -> str:
        """The name of a column for `collapse`: ranks in (0, 1] of the means over rounds, within batch and session.

        For a metric with zeros, which have no logarithm. Cells without a value have no rank.
        """
        name = f"rank of {column}"
        if name not in self._means:
            values = self.values(column)
            good = np.isfinite(values)
            size = len(self._cells)
            counts = np.bincount(self._codes[good], minlength=size)
            means = np.bincount(self._codes[good], values[good], size) / np.maximum(counts, 1)
            table = pd.Series(np.where(counts > 0, means, np.nan))
            ranked = table.groupby([str(block) for _, block in self._cells]).rank(pct=True)
            self._means[name] = np.asarray(ranked.to_numpy(float), dtype=np.float64)
        return name

    def power(self, column: str, degree: int) -> str:
        """The name of a column for `collapse`: a power of the logs of another one, around their mean."""
        name = f"{column}^{degree}"
        if name not in self._means:
            logs = self.mean(column)
            around = logs - np.nanmean(logs) if np.isfinite(logs).any() else logs
            self._means[name] = np.asarray(around**degree, dtype=np.float64)
        return name

    def collapse(self, columns: Sequence[str]) -> Collapsed:
        """One log value per network for each of `columns`, over the cells that have them all."""
        key = tuple(columns)
        if key not in self._collapsed:
            self._collapsed[key] = self._collapse(key)
        return self._collapsed[key]

    def cells(self, columns: Sequence[str]) -> NDArray[np.bool_]:
        """Which cells have all of `columns`."""
        for c in columns:
            if c not in self._finite:
                self._finite[c] = np.isfinite(self.mean(c))
        return np.asarray(np.logical_and.reduce([self._finite[c] for c in columns]), dtype=np.bool_)

    def together(self, base: Sequence[str], columns: Sequence[str]) -> tuple[Collapsed, Floats]:
        """`base` over the cells of `columns`, and these (networks, columns): all of them have the same cells."""
        both = self.collapse((*base, columns[0]))
        if not both.networks:
            return both, np.empty((0, len(columns)))
        cells = self.cells((*base, columns[0]))
        key = cells.tobytes()
        values = self._over(cells, key).values @ np.column_stack([self.mean(c)[cells] for c in columns])
        for at, column in enumerate(columns):
            self._effect.setdefault((key, column), values[:, at])
        return both, values

    def _collapse(self, columns: tuple[str, ...]) -> Collapsed:
        cells = self.cells(columns)
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
        codes, counts, df, per_network = self._count(good)
        if not df:
            return 0.0, 0, per_network
        logs = np.log(values[good])
        means = np.bincount(codes, logs, len(self._cells)) / np.maximum(counts, 1)
        return float(((logs - means[codes]) ** 2).sum()), df, per_network

    def _count(self, good: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], int, Floats]:
        """(cell of each of these rows, rows in each cell, degrees of freedom within cells, rows in each network)."""
        key = good.tobytes()
        if key not in self._counts:
            codes = self._codes[good]
            counts = np.bincount(codes, minlength=len(self._cells))
            per_network: Floats = np.bincount(self._network, counts).astype(np.float64)
            df = int(np.maximum(counts - 1, 0).sum())
            self._counts[key] = codes, counts, df, per_network[per_network > 0]
        return self._counts[key]
