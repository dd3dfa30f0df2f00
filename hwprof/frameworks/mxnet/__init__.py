"""Apache MXNet. Import ADAPTER from here."""

from hwprof.frameworks.mxnet.adapter import ADAPTER as ADAPTER
