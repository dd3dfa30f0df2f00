"""Which networks convert, load and infer faithfully in which frameworks, and which operator stops one.

For others: `matrix.Matrix` with its cells, columns and choices; `culprit.Parts` cuts a network at its nodes.
"""
