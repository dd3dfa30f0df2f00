"""Programs whose counts are known by arithmetic, and what an event's counts of them say about the event.

For others: `build.build` compiles the program `truth` (programs/*.c), `bench.Bench` counts it and `bench.Program` runs
it; `known_counts` says what each event must count; `verdicts` judges the counts. `hwprof events --validate` is made of
them, and so are the tests of the collector.
"""
