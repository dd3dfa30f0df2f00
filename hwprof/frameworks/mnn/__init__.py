"""MNN: the adapter, and a profile by callbacks around each operator."""

from hwprof.frameworks.mnn.adapter import ADAPTER as ADAPTER
