"""ncnn. Import ADAPTER from here."""

from hwprof.frameworks.ncnn.adapter import ADAPTER as ADAPTER
