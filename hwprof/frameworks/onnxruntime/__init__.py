"""ONNX Runtime: the adapter with its quantisation, and the reader of its profile.

`quantise` also makes the simulated INT8 graph that other frameworks' outputs are compared with.
"""

from hwprof.frameworks.onnxruntime.adapter import ADAPTER as ADAPTER
