"""OpenCV 5's DNN module. Import ADAPTER from here."""

from hwprof.frameworks.opencv5.adapter import ADAPTER as ADAPTER
