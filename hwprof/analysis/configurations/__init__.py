"""Which way of running a network is best in each framework, and which ways meet what a reader needs.

`best.rank` takes the labelled frame and its speeds; `need.parse` the conditions of `report --need`, `judge.judge` says
which configurations meet them.
"""
