"""What this machine can do at most: arithmetic, bandwidth and latency, measured by small compiled programs.

For others: `measure.calibrate` yields records.Ceiling; `kernels.build` compiles programs/ceilings.c.
"""
