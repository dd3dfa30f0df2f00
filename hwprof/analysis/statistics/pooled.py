"""Slopes over all frameworks at once: do differences between frameworks on one network correlate with speed?

Two-way centring (network and framework) takes out everything that belongs to the network alone, MACs included, and
everything that belongs to the framework alone. What is left is framework x network, and the networks are the units:
the error comes from leaving out one network at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Slopes:
    """Arrays of shape (metrics,); NaN where there is none. `n`: networks that at least two frameworks share.

    `left_out`: the slope without each network, or parent of blocks, shape (networks, metrics); NaN for one that is in
    none of them.
    """

    slope: Floats
    se: Floats
    low: Floats
    high: Floats
    p: Floats
    n: NDArray[np.int64]
    left_out: Floats


def centre(values: Floats, mask: Bools, tolerance: float = 1e-10) -> Floats:
    """`values` (..., networks, frameworks) without network and framework means, 0 where `mask` is False.

    A complete table takes one step; one with gaps is the least-squares fit, in one product where all tables have the
    same gaps, else by alternating projections.
    """
    out = np.where(mask, values, 0.0)
    tables = mask.reshape(-1, *mask.shape[-2:])
    if not mask.all() and len(tables) > 1 and bool((tables == tables[0]).all()):
        at = np.flatnonzero(tables[0])
        basis = _means(tables[0].tobytes(), tables[0].shape)
        flat = out.reshape(len(tables), -1)
        flat[:, at] -= (flat[:, at] @ basis) @ basis.T
        return flat.reshape(out.shape)
    rows = np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    columns = np.maximum(mask.sum(axis=-2, keepdims=True), 1)
    steps = 1 if mask.all() else 500
    for _ in range(steps):
        step = out.sum(axis=-1, keepdims=True) / rows
        out = np.where(mask, out - step, 0.0)
        change = out.sum(axis=-2, keepdims=True) / columns
        out = np.where(mask, out - change, 0.0)
        if max(np.abs(change).max(initial=0), np.abs(step).max(initial=0)) < tolerance:
            break
    return out


@functools.lru_cache(maxsize=1024)
def _means(mask: bytes, shape: tuple[int, int]) -> Floats:
    """An orthonormal basis of network and framework means over the cells of a table with gaps, (cells, rank)."""
    network, framework = np.nonzero(np.frombuffer(mask, dtype=np.bool_).reshape(shape))
    design = np.hstack([np.eye(shape[0])[network], np.eye(shape[1])[framework]])
    left, strength, _ = np.linalg.svd(design, full_matrices=False)
    return np.asarray(left[:, strength > 1e-9 * strength.max(initial=0.0)], dtype=np.float64)


def measured(x: Floats, y: Floats, z: Floats | None) -> Bools:
    """Where all of them have a value."""
    return np.isfinite(x) & np.isfinite(y) & (True if z is None else np.isfinite(_each(z)).all(axis=0))


def _each(z: Floats | None) -> Floats:
    """The covariates (K, J, N, F) of one (J, N, F), of several (K, J, N, F), or of none."""
    return np.empty((0, 1, 1, 1)) if z is None else z if z.ndim == 4 else z[None]


def _broadcast(z: Floats | None, shape: tuple[int, ...]) -> Floats | None:
    return None if z is None else np.broadcast_to(z, (*z.shape[:-3], *shape))


def _basis(z: Floats | None, mask: Bools) -> list[Floats]:
    """Covariates (J, N, F) centred over `mask`, at right angles to each other, of length 1 or nothing."""
    found: list[Floats] = []
    for one in _each(z):
        c = centre(one, mask)
        before = (c**2).sum(axis=(-1, -2))
        for q in found:
            c = c - q * (c * q).sum(axis=(-1, -2))[..., None, None]
        length = (c**2).sum(axis=(-1, -2))
        there = (length > 1e-18) & (length > 1e-10 * before)
        found.append(np.where(there, 1 / np.sqrt(np.where(there, length, 1.0)), 0.0)[..., None, None] * c)
    return found


def nuisance(mask: Bools, z: Floats | None) -> Floats:
    """An orthonormal basis of what is taken out of one table (N, F): network means, framework means, z.

    z: one covariate (N, F), or several (K, N, F). Of shape (N F, rank), 0 where `mask` is False.
    """
    at = np.flatnonzero(mask)
    means = _means(mask.tobytes(), (mask.shape[0], mask.shape[1]))
    found = np.zeros((mask.size, means.shape[1]))
    found[at] = means
    rest = [] if z is None else _basis(z[:, None] if z.ndim == 3 else z[None, None], mask[None])
    return np.hstack([found, *(q.reshape(-1, 1) for q in rest)])


def residuals(x: Floats, y: Floats, z: Floats | None) -> tuple[Floats, Floats, Floats]:
    """x, y (J, N, F) centred over the cells that have all, and without the covariates z ((K,) J, N, F)."""
    mask = measured(x, y, z)
    cx, cy = centre(x, mask), centre(y, mask)
    total = (cx**2).sum(axis=(-1, -2))
    for q in _basis(z, mask):
        cx = cx - q * (cx * q).sum(axis=(-1, -2))[..., None, None]
        cy = cy - q * (cy * q).sum(axis=(-1, -2))[..., None, None]
    return cx, cy, total


def _slope(x: Floats, y: Floats, z: Floats | None) -> Floats:
    cx, cy, total = residuals(x, y, z)
    sxx = (cx**2).sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((sxx > 1e-10 * total) & (sxx > 1e-18), (cx * cy).sum(axis=(-1, -2)) / sxx, np.nan)


def slopes(x: Floats, y: Floats, z: Floats | None = None, parents: Sequence[str] = ()) -> Slopes:
    """Slopes of y on each of x, shape (metrics, networks, frameworks), controlling for one covariate z, or several.

    y and one z may be of shape (networks, frameworks), the same for all metrics; several z are (K, metrics, networks,
    frameworks). Logs in, elasticities out; NaN: missing.
    Variance (N-1)/N sum (b_-i - b)^2 over networks left out, each time centred anew; interval and p from t(N - 1).
    NaN below four networks or two frameworks. `parents`: of networks that are blocks; then these are left out, and
    their number stands in the place of N.
    """
    y, z = np.broadcast_to(y, x.shape), _broadcast(z, x.shape)
    units, unit = np.unique(list(parents) or np.arange(x.shape[1]), return_inverse=True)
    count = len(units)
    b = _slope(x, y, z)
    left_out = np.full((count, len(x)), np.nan)
    counts = _networks(x, y, z)
    shared = np.array([counts[:, unit == i].any(axis=1) for i in range(count)])  # (units, metrics)
    for i in range(count):
        rest = unit != i
        left_out[i] = _slope(x[:, rest], y[:, rest], None if z is None else z[..., rest, :])
    n = shared.sum(axis=0)
    squares = np.where(shared, (left_out - b) ** 2, 0.0).sum(axis=0)
    enough = n >= 4
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.where(enough, np.sqrt((n - 1) / n * squares), np.nan)
        b = np.where(enough, b, np.nan)
        df = np.maximum(n - 1, 1)
        half = special.stdtrit(df, 0.975) * se
        p = np.where(se > 0, 2 * special.stdtr(df, -np.abs(b) / se), np.nan)
    return Slopes(b, se, b - half, b + half, p, n.astype(np.int64), np.where(shared, left_out, np.nan))


def _networks(x: Floats, y: Floats, z: Floats | None) -> Bools:
    """(metrics, networks): True where at least two frameworks have all values; a network of one says nothing."""
    return np.asarray(measured(x, y, z).sum(axis=-1) >= 2)
