"""OpenVINO: the adapter with its quantisation by NNCF, and the reader of its profile."""

from hwprof.frameworks.openvino.adapter import ADAPTER as ADAPTER
