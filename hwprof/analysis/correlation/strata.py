"""Which rows may be compared with which.

Rows of different machines, affinities, numbers of threads, precisions, input sizes or shapes are never pooled: each
combination is a stratum of its own, and every result says of which stratum it is. A machine under several kernels or
governors is several machines, and a framework in several versions is several variants. Sessions and experiments of one
stratum are blocks: what they differ by as a whole is taken out before rounds are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hwprof.analysis.roofline import ELEMENT
from hwprof.errors import ResultsError
from hwprof.networks.blocks import BLOCKS, PREFIX
from hwprof.networks.inputs import side_title
from hwprof.printable import plural
from hwprof.records import Agreement
from hwprof.store.columns import UNRECORDED

REQUIRED = ("framework", "network", "batch", "round", "status", "fps")
# Columns that `label` adds: a framework with those of its options that vary, and a network with its recipe where
# one name stands for several contents.
VARIANT, NETWORK = "variant", "net"
# Blocks whose weights come from memory in every inference: another regime, of which one layer can make a correlation.
BEYOND = "beyond the last-level cache"
# Columns that say what goes in for one frame: pixels of a square image, else the shape. `label` adds them if absent.
SIDE = ("size", "shape")
# Column that `label` adds: the experiment and session of a run; rounds are of one block.
BLOCK = "block"
# Numbers of threads in a labelled frame that are none.
TUNED, UNSTATED = 0, -1
# What a machine may be set to, and how its name says so where there are several.
SETTINGS = {"kernel": "kernel ", "governor": "governor "}


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """What all rows of one comparison have in common. `size`: '224 px', '3x48x320', or the range where each network has
    one. `kind`: of the layers, where these are blocks of one kind; it is in `size` too.
    """

    machine: str
    threads: str
    cpus: str
    precision: str
    size: str
    kind: str = ""

    def of_kind(self, kind: str) -> Stratum:
        """Of these blocks those of one kind of layer."""
        return replace(self, size=self.size.replace(BLOCKS, f"blocks of {kind} layers"), kind=kind)

    @property
    def whole(self) -> Stratum:
        """The stratum of all blocks, of which this is a kind."""
        return replace(self, size=self.size.replace(f"blocks of {self.kind} layers", BLOCKS), kind="")

    @property
    def title(self) -> str:
        """The stratum in words."""
        threads, pinned = thread_title(int(self.threads)), f"CPUs {self.cpus}" if self.cpus else "not pinned"
        if self.threads in (str(TUNED), str(UNSTATED)):
            pinned = f"CPUs {threads.removeprefix('threads ')}"
        parts = [f"machine {self.machine}" if self.machine else "", threads, pinned, self.precision, self.size]
        return " · ".join(p for p in parts if p)


def thread_title(threads: int) -> str:
    """`2 threads`, of a labelled frame; `threads as tuned`, `threads not stated` (by a table of another program)."""
    return {TUNED: "threads as tuned", UNSTATED: "threads not stated"}.get(threads) or plural(threads, "thread")


def require(frame: pd.DataFrame, columns: Sequence[str] = REQUIRED) -> None:
    """Raise ResultsError where a column that the analysis rests on is not there."""
    lacking = [c for c in columns if c not in frame.columns]
    if lacking:
        raise ResultsError(f"the frame lacks {', '.join(lacking)}", "take it from Results.frame()")


def label(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy with the columns `variant`, `net` and `block`; what varies in a framework or machine is in its name.

    `size` and `shape` are there afterwards: 0 and "" where they are not known.
    """
    require(frame)
    out = frame.copy()
    out.attrs = dict(frame.attrs)
    out["size"] = frame["size"].fillna(0) if "size" in frame.columns else 0
    out["shape"] = frame["shape"].fillna("") if "shape" in frame.columns else ""
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
    out["threads"] = out["threads"].where(frame["threads"] != 0, UNSTATED) if "threads" in frame.columns else UNSTATED
    out[VARIANT] = names + calls(frame) + _versions(frame)
    if "machine" in frame.columns:
        out["machine"] = frame["machine"].map(_text).astype(str) + _settings(frame)
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
    text = frame["version"].map(_text).astype(str)
    of = [frame["framework"], *([frame["machine"]] if "machine" in frame.columns else [])]
    several = text.groupby(of).transform("nunique") > 1
    return (" (" + text.where(text != "", f"version {UNRECORDED}") + ")").where(several, "")


def _settings(frame: pd.DataFrame) -> pd.Series:
    """` (kernel 6.12, governor powersave)` after each machine that was measured under several of them."""
    words = pd.Series("", index=frame.index, dtype=str)
    for column, name in SETTINGS.items():
        if column in frame.columns:
            text = frame[column].map(_text).astype(str)
            several = text.groupby(frame["machine"]).transform("nunique") > 1
            one = name + text.where(text != "", UNRECORDED)
            words = words + (words.where(words == "", ", ") + one).where(several, "")
    return (" (" + words + ")").where(words != "", "")


def _blocks(frame: pd.DataFrame) -> pd.Series:
    """`quick, session 1f0c`: the experiment of each run and its session, where they are recorded."""
    known = {c: frame[c].map(_text).astype(str) for c in ("experiment", "session") if c in frame.columns}
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


def sides(frame: pd.DataFrame) -> pd.Series:
    """What goes in for one frame of each row of a labelled frame: `224 px`, `3x48x320`."""
    found = [side_title(size, shape, " px") for size, shape in zip(*(frame[c] for c in SIDE), strict=True)]
    return pd.Series(found, index=frame.index, dtype=object)


def named_networks(frame: pd.DataFrame) -> pd.Series:
    """The network of each row of a labelled frame, with its input where it has several: `crnn 3x48x320`."""
    own = sides(frame)
    several = own.groupby(frame[NETWORK]).transform("nunique") > 1
    return frame[NETWORK].astype(str) + (" " + own).where(several, "")


def _sizes(group: pd.DataFrame) -> pd.Series:
    """The size policy of each row: one input per network is one policy; a network with several splits by input."""
    own = sides(group)
    if int(own.groupby(group[NETWORK]).nunique().max()) > 1:
        return own
    shapes = sorted(set(group["shape"]) - {""})
    known = sorted({int(v) for v in group["size"][group["shape"] == ""] if v})
    if len(shapes) + len(known) < 2:
        one = shapes[0] if shapes else f"{known[0]} px" if known else ""
        return pd.Series(one, index=group.index)
    pixels = f"{known[0]} px" if len(known) == 1 else f"{known[0]} to {known[-1]} px" if known else ""
    others = plural(len(shapes), "other shape" if known else "shape")
    words = ", ".join([*([pixels] if pixels else []), *([others] if shapes else [])])
    return pd.Series(f"one size per network, {words}", index=group.index)


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
    where = pd.Series(f"{BLOCKS}, ", index=frame.index).where(~_streams(frame), f"{BLOCKS} {BEYOND}, ")
    keys["size"] = sizes.where(~is_block, where + sizes)
    out = []
    for key, group in keys.groupby([*by, "size"], sort=True):
        part = frame.loc[group.index].copy()
        part.attrs = dict(frame.attrs)
        machine, threads, cpus, precision, size = (str(k) for k in key)
        out.append((Stratum(machine, threads, cpus, precision, size), part))
    return out


def _streams(frame: pd.DataFrame) -> pd.Series:
    """True where the weights of a network are known to be larger than the last-level cache."""
    if not {"params", "last_level_mib"} <= set(frame.columns):
        return pd.Series(False, index=frame.index)
    width = frame["precision"].map(ELEMENT).fillna(ELEMENT["fp32"]) if "precision" in frame.columns else ELEMENT["fp32"]
    weights = pd.to_numeric(frame["params"], errors="coerce") * width
    return weights > pd.to_numeric(frame["last_level_mib"], errors="coerce") * (1 << 20)


def is_ok(frame: pd.DataFrame) -> pd.Series:
    """True where the run succeeded."""
    return frame["status"].astype(str) == "ok"


def is_unfaithful(frame: pd.DataFrame) -> pd.Series:
    """True where the outputs were compared with the reference and are beyond tolerance (unchecked: False)."""
    return ~is_unchecked(frame) & ~frame.get("faithful", pd.Series(True, index=frame.index)).astype(bool)


def has_unfaithful(frame: pd.DataFrame) -> pd.Series:
    """True where a run of the same cell (framework variant, network, input, batch) is unfaithful; `frame`: labelled."""
    return is_unfaithful(frame).groupby([frame[c] for c in (VARIANT, NETWORK, *SIDE, "batch")]).transform("any")


def incomparable(frame: pd.DataFrame) -> pd.Series:
    """`not comparable: WHY` where nothing of the outputs could be compared with the reference; else ""."""
    if "agreement" not in frame.columns:
        return pd.Series("", index=frame.index)
    text = frame["agreement"].fillna("").astype(str)
    return text.where(text.str.startswith(Agreement.INCOMPARABLE.value), "")


def is_unchecked(frame: pd.DataFrame) -> pd.Series:
    """True where nothing compared the outputs with the reference."""
    if "faithful" not in frame.columns:
        return pd.Series(True, index=frame.index)
    return frame["faithful"].map(lambda v: v is None or v != v).astype(bool)


def is_native(frame: pd.DataFrame) -> pd.Series:
    """True where the run was not slowed down by a simulator, so that its FPS means something.

    Programs are there where the frame has them: those whose counted region leaves imports and loading out.
    """
    if "kind" not in frame.columns:
        return pd.Series(True, index=frame.index)
    return frame["kind"].astype(str).isin(["native", "command", "nan", "None"])


def usable_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that may enter a correlation: succeeded and not unfaithful; FPS of simulated runs is blanked.

    A cell (framework variant, network, input, batch) with one unfaithful run is out altogether, its simulated runs too.
    """
    out = frame[is_ok(frame) & ~has_unfaithful(frame)].copy()
    out.attrs = dict(frame.attrs)
    out["fps"] = out["fps"].astype(float).where(is_native(out))
    return out
