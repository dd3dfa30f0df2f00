"""Arithmetic on plain arrays, without frames or frameworks: the statistics that the rest of analysis uses.

For others: the limits of `partial` (MIN_NETWORKS, MIN_TESTED) and the type Floats. Modules: `partial` (one framework),
`pooled` (all frameworks), `regression` (models of FPS).
"""
