"""The glossary of the page: each term with one sentence."""

from __future__ import annotations

TERMS: dict[str, str] = {
    "case": "A framework on a network with one input size, batch, number of threads, precision and affinity.",
    "round": "One measurement of every case, each in a fresh process; intervals are between rounds.",
    "FPS": "Frames per second: batch / median latency, after one pass that drops outliers beyond 3 standard "
    "deviations.",
    "throughput": "Frames / elapsed time, with every inference in it.",
    "MACs": "Multiply-accumulate operations per frame: the size of a network.",
    "IPC": "Instructions per cycle.",
    "PMU": "Performance monitoring unit: the hardware counters of a CPU, which a virtual machine may lack.",
    "multiplexing": "Events that share a counter are counted in turns and scaled up (SCALED).",
    "top-down": "Shares of the pipeline's slots: retiring, bad speculation, front-end bound, back-end bound.",
    "roofline": "The speed that the measured peaks of computation and bandwidth allow at an arithmetic intensity.",
    "arithmetic intensity": "Operations per byte that is moved to or from memory.",
    "partial correlation": "The correlation that is left when other quantities, such as MACs, are controlled for.",
    "q": "The false discovery rate at which a result would be called significant; below 0.05 it is.",
    "95 % interval": "A range made by a method that covers the true value in 95 of 100 repetitions.",
    "not distinguishable": "The intervals overlap, so that neither side is faster by these measurements.",
    "not separable": "The counters available cannot tell the two quantities from each other.",
    "measurement overhead": "How much slower a case is while it is counted: bare against counted windows.",
    "tail latency": "The mean latency over the median: how much slow inferences cost.",
    "SIMULATED": "Counted by a model of a CPU, such as callgrind; never pooled with counts of this machine.",
    "EMULATED": "Counted on an emulated board; its times are the emulator's.",
    "SUSPECT": "An event that failed validation on this machine, or contradicts another reading.",
}
