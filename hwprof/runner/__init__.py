"""Measures the cases of a plan: prepares what they need, starts workers for each round, saves their runs.

Others import `rounds.Runner` (an experiment), `members.Ticket` (a case for one of its sets), `launcher` (workers),
`workshop` (what a case needs in the cache), `bundle` (the same, prepared on another machine), `layers` (a profiled
run), and `observers` (perf beside a worker).
"""
