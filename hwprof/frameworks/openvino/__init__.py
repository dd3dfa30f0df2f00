"""OpenVINO. Import ADAPTER from here."""

from hwprof.frameworks.openvino.adapter import ADAPTER

__all__ = ["ADAPTER"]
