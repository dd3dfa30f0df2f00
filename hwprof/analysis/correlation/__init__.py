"""Which metrics correlate with FPS (or energy per frame), per framework and over all frameworks.

For others: `analyse.analyse` and its results in `findings`; `strata` (rows that may be compared, and their names);
`metrics.classify` (what a metric is made of).
"""
