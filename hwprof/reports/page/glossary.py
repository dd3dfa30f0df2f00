"""The words of the field as hwprof uses them: one sentence each, for the page and for docs/glossary.md."""

from __future__ import annotations

TERMS: dict[str, str] = {
    "arithmetic intensity": "Operations per byte that moves between the cores and a level of memory.",
    "bare stretch": "The uninterrupted second after the slices, without counting, from which FPS, latency, "
    "throughput and CPU time are taken.",
    "batch": "The number of frames in one inference.",
    "block": "One layer of a network, measured as a network of its own.",
    "calibration": "A measurement of how much sessions of this machine differ, kept for later comparisons of "
    "single sessions.",
    "case": "One framework running one network at a fixed batch, precision, number of threads and set of options.",
    "ceiling": "The highest rate that the cores or one level of memory reached in a small program, measured on "
    "this machine.",
    "counter": "A register of the CPU, or a number kept by the kernel, that counts one event.",
    "CPU time per frame": "The CPU time of all threads divided by the number of frames.",
    "disturbed": "A run in which other programs or preemption took more than 10 % of the time, or in which FPS and "
    "throughput differ by more than 10 %.",
    "doubt": "A reason to distrust a run, with advice on what to change.",
    "effect": "How much the speed or the CPU time changes when one thing is changed and all else stays.",
    "elasticity": "The change of FPS in percent that comes with 10 % more of a metric, as an association.",
    "emulated": "Counted or timed on an emulated board, where instructions are meaningful and times are not.",
    "estimator": "The speed by which cases are ranked: FPS, or CPU time per frame or throughput where FPS is "
    "disturbed.",
    "event": "Something that the hardware or the kernel can count, such as cycles, cache misses or page faults.",
    "exact": "Counted during the whole window.",
    "exactness": "How far a value can be trusted: exact, scaled, suspect or missing.",
    "factor": "One part of the ratio of two speeds, such as work per frame, IPC or clock, where all parts multiply to "
    "the ratio.",
    "faithful": "Computing the same outputs as the reference, within the tolerance of the precision.",
    "FPS": "Frames per second: the batch divided by the latency.",
    "group": "Events that are counted at the same time on one PMU or, in tables of correlations, metrics that are "
    "not separable.",
    "interval": "A range such as [1.87, 3.04] that covers the true value in 95 % of repeated measurements, unless "
    "another share is named.",
    "IPC": "Instructions per cycle.",
    "latency": "The time of one inference: the median, without durations further than 3 standard deviations from the "
    "mean.",
    "MACs": "Multiply-accumulate operations of one inference, counted from the graph of the network.",
    "measurement overhead": "How much longer an inference takes while events are counted.",
    "missing": "Not measured, with the reason, and never taken as 0.",
    "MPKI": "Misses per thousand instructions.",
    "multiplexing": "Several events taking turns on one counter, so that their counts are scaled.",
    "origin": "Who counted a value: the hardware, the kernel, an emulator or a simulator.",
    "parallelism": "The number of CPUs that are used on average: CPU time divided by elapsed time.",
    "partial correlation": "The correlation of two quantities after the influence of others, such as MACs, has been "
    "removed from both.",
    "PMU": "Performance monitoring unit: the part of a processor that counts events.",
    "q": "A p-value adjusted for the number of tests, so that at most 5 % of findings with q below .05 are expected "
    "to be false.",
    "reading": "One value of one metric in one window, with its exactness, origin and source.",
    "reference": "ONNX Runtime in FP32 without graph optimisation, with whose outputs all frameworks are compared.",
    "roofline": "The highest performance that a case can reach at its arithmetic intensity, from the ceilings of the "
    "cores and of memory.",
    "round": "One repetition of all cases of an experiment, each in a fresh process.",
    "run": "One round of one case, stored with its windows, readings, machine and software.",
    "scaled": "Counted during a part of the window and extrapolated to the whole.",
    "session": "What is measured under one state of the machine: invocations on one boot, each within half an hour of "
    "the one before.",
    "session noise": "The difference between sessions of one machine, which more rounds of one session neither show "
    "nor remove.",
    "set": "Cases that are loaded together and take turns, so that changes of the machine affect all of them alike.",
    "simulated": "Counted by a simulator that executes the program's instructions, and never merged with counts of the "
    "hardware.",
    "slice": "A window of about 40 ms, either bare or counted.",
    "spinning": "Waiting for other threads in a loop that uses CPU time, instead of sleeping.",
    "stratum": "The cases that are analysed together, alike in machine, threads, precision and size of the input.",
    "suspect": "In contradiction to another value, or of an event that failed validation, and marked wherever it is "
    "shown.",
    "tail latency": "The latency of the slowest inferences, shown by p99 and by the ratio of mean to median.",
    "throughput": "Frames divided by elapsed time, with everything that happens between inferences.",
    "top-down": "A method that divides the slots of a core's pipeline into retiring, bad speculation, front-end bound "
    "and back-end bound.",
    "warm-up": "Inferences before the measurement, repeated until the latency is steady.",
    "window": "A stretch of time at whose two edges the counters are read.",
    "work": "The instructions that are executed per frame.",
}
