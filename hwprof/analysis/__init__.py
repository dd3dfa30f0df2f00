"""What the results mean: pure functions on the results frame and on runs. Nothing is measured or printed here.

Subpackages answer one question each: correlation, factors, explain, bottlenecks, comparison, configurations.
statistics has their arithmetic. Modules for everybody: energy, overhead, layers, roofline, topdown, models, accuracy,
omissions.
"""
