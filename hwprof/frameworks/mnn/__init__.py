"""MNN. Import ADAPTER from here."""

from hwprof.frameworks.mnn.adapter import ADAPTER as ADAPTER
