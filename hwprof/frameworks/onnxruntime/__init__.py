"""ONNX Runtime. Import ADAPTER from here."""

from hwprof.frameworks.onnxruntime.adapter import ADAPTER as ADAPTER
