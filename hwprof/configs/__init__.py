"""Data, no code: built-in experiments, the events of CPUs, benchmark programs, and what metrics are (metrics.toml).

Nothing is imported from here. Each folder and file has one reader: plan.experiment, collectors.perf.tables,
plan.declared, analysis.correlation.metrics.
"""
