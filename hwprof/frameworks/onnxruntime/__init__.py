"""ONNX Runtime. Import ADAPTER from here."""

from hwprof.frameworks.onnxruntime.adapter import ADAPTER

__all__ = ["ADAPTER"]
