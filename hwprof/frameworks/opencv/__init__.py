"""OpenCV 4's DNN module. Import ADAPTER from here."""

from hwprof.frameworks.opencv.adapter import ADAPTER as ADAPTER
