"""LiteRT, the former TensorFlow Lite: the adapter, and its C library's profiler.

The conversion starts from tensorflow's `graph`.
"""

from hwprof.frameworks.litert.adapter import ADAPTER as ADAPTER
