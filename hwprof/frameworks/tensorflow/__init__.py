"""TensorFlow: the adapter, and `graph`, which builds TensorFlow operators from ONNX.

LiteRT's adapter converts by way of `graph`. There is no profile per layer.
"""

from hwprof.frameworks.tensorflow.adapter import ADAPTER as ADAPTER
