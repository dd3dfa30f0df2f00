"""Apache TVM. Import ADAPTER from here."""

from hwprof.frameworks.tvm.adapter import ADAPTER as ADAPTER
