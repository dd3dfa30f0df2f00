"""Networks in Caffe's format, read by OpenCV's DNN module. Import ADAPTER from here."""

from hwprof.frameworks.caffe.adapter import ADAPTER as ADAPTER
