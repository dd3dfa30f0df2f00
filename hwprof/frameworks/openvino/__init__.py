"""OpenVINO. Import ADAPTER from here."""

from hwprof.frameworks.openvino.adapter import ADAPTER as ADAPTER
