"""Any program as a case: wrapped, attached to, counted by perf itself, or sampled for its hottest code.

command: forks, counts from exec on, stores. attach: a process that runs already. perfstat: `perf stat` as the counter.
record: `perf record`, hottest symbols, flame graph. child: the process that waits to become the command.
"""
