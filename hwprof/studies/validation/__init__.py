"""Programs whose counts are known by arithmetic, and what an event's counts of them say about the event.

build: compiles the program `truth` (programs/*.c); expected: what each event must count of it; bench: counts it;
verdicts: from counts to a verdict. `hwprof validate` is made of them, and so are the tests of the collector.
"""
