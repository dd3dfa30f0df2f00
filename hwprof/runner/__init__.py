"""Measures the cases of a plan: prepares what they need, starts a worker for each round, saves each run.

Others import `rounds.Runner` (an experiment), `launcher` (workers and their observers), `workshop` (what a case needs
in the cache), `layers` (a profiled run), and `observers` (perf beside a worker).
"""
