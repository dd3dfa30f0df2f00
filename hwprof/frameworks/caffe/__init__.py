"""Networks in Caffe's format, run by OpenCV 4.

The adapter, which is OpenCV's with another reader, and `format`, which writes an ONNX graph in Caffe's format.
"""

from hwprof.frameworks.caffe.adapter import ADAPTER as ADAPTER
