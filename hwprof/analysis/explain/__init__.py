"""Why one case is faster than another: selectors, pairs of cases, explanations.

For others: `pairs.Source`, `pairs.find` and `pairs.explanations`; `explanation` (the records); `wording`;
`every_pair.decompose_pairs` (every two frameworks); `selectors` (which runs a text names).
"""
