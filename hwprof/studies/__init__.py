"""Studies: many runs, one answer. Each has a package of its own (interventions: a module) and imports no other.

ceilings measures what the machine can do at most, validation whether its events count right, tuning the best launch
parameters, matrix what converts, accuracy top-1 and top-5, interventions a pair with one thing changed.
"""
