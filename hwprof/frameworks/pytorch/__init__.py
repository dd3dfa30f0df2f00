"""PyTorch: the adapter, and a profile of the eager graph's steps.

`graph` builds torch modules from ONNX; `source` and `pt2e` (quantisation) are ExecuTorch's too.
"""

from hwprof.frameworks.pytorch.adapter import ADAPTER as ADAPTER
