"""Two sets of results, case by case: ratios of speed with intervals, and what differs between the machines.

For others: `sides.side` (runs that a word on the command line names), `compare.compare` and its records.
"""
