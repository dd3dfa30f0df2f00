"""What this machine can measure, and for each thing it cannot: why, and the command that changes it.

For others: `host` (`probe` reads the machine, `examine` interprets, `summary` and `table_skeletons` are texts) and
`counters` (`Finding`, `Probe` and the status words).
"""
