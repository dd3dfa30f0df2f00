"""OpenCV 4's DNN module: the adapter, from which those of opencv5 and caffe derive, and the reader of its profile."""

from hwprof.frameworks.opencv.adapter import ADAPTER as ADAPTER
