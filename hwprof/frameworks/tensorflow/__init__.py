"""TensorFlow, and what LiteRT needs of it too (graph). Import ADAPTER from here."""

from hwprof.frameworks.tensorflow.adapter import ADAPTER as ADAPTER
