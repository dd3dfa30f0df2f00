"""What runs in the measured process: one job, started by the launcher.

Others import `protocol` alone: the jobs, the messages and the text that starts a worker. Everything else is imported in
the worker, in this order: the standard library, the counters, numpy, the framework.
"""
