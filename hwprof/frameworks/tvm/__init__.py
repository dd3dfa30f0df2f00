"""Apache TVM: the adapter, `tuning` (its search for kernels), and a profile by an instrument around each call."""

from hwprof.frameworks.tvm.adapter import ADAPTER as ADAPTER
