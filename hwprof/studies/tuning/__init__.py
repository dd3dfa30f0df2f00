"""Best launch parameters of a case. For others: `tuner.Tuner` and what it returns, `space.Request` and `space.PLAN`.

space: what may be varied; search: the search, pure; tuner: measures it; outcome: the evidence. plan.kept reads winners.
"""
