"""Studies: many runs, one answer. Each has a package or a module of its own and imports no other.

ceilings measures what the machine can do at most, validation whether its events count right, tuning the best launch
parameters, matrix what converts, accuracy top-1 and top-5, interventions a pair with one thing changed, versions
the same cases in two environments.
"""
