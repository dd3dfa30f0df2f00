"""Which Python interpreter runs a framework, and how that interpreter is obtained.

For others: `environment.Environment` (what an adapter declares) and `interpreters` (find, inspect and require the
interpreter of a framework; versions of what is installed there).
"""
