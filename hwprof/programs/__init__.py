"""Any program as a case: started and counted from its exec on, attached to, or sampled by perf.

Others import `command` (run it), `attach` (a process that runs already), `counting` and `perfstat` (who counts),
`recording` and `samples` (perf record), `perf` (the program perf), `output` (figures in what a program prints).
"""
