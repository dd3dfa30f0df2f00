"""LiteRT, the former TensorFlow Lite. Import ADAPTER from here."""

from hwprof.frameworks.litert.adapter import ADAPTER as ADAPTER
