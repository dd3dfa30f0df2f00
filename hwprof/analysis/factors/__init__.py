"""Throughput as a product of factors, and what was counted that bears on each factor.

For others: `identity` (factors of one run), `ratio` (of two cases), `evidence` and `clues` (what was counted),
`scaling` (laws over thread counts).
"""
