"""The answer of one report: which framework is faster, by how much, why, how far to trust it, and what to do next.

`build` makes it of what `explain` found of every two frameworks; `wording` says it; docs/method.md has the rules.
"""
