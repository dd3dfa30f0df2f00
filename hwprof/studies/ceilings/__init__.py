"""What this machine can do at most: arithmetic, bandwidth and latency, measured by small compiled programs.

For others: `measure.calibrate` yields records.Ceiling; `measure.SHARE`, below which a ceiling was disturbed;
`kernels.build` compiles programs/ceilings.c.
"""
