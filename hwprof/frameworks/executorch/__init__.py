"""ExecuTorch: the adapter and the reader of its trace.

The torch module and its quantisation come from pytorch's `source` and `pt2e`.
"""

from hwprof.frameworks.executorch.adapter import ADAPTER as ADAPTER
