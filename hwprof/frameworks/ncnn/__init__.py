"""ncnn: the adapter, and a profile that extracts the layers' outputs one by one."""

from hwprof.frameworks.ncnn.adapter import ADAPTER as ADAPTER
