"""MNN. Import ADAPTER from here."""

from hwprof.frameworks.mnn.adapter import ADAPTER

__all__ = ["ADAPTER"]
