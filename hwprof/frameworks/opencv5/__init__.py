"""OpenCV 5's DNN module: the adapter, which differs from OpenCV 4's in the engine."""

from hwprof.frameworks.opencv5.adapter import ADAPTER as ADAPTER
