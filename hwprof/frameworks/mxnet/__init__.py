"""Apache MXNet 1.9.1: the adapter with its walk over the ONNX graph, `int8`, and the reader of its profiler."""

from hwprof.frameworks.mxnet.adapter import ADAPTER as ADAPTER
