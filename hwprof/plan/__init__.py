"""What shall be measured: experiment files and options, checked before anything runs.

Others import `experiment` (Choice, Experiment, load, single), `catalog` (the experiments that are there), `cases`
(PlannedCase, plan), `policy` and `winner` (tuned launch parameters), `runners` (the frameworks' own benchmark
programs), `options` and `bounds` (the syntax of words, the range of numbers).
"""
