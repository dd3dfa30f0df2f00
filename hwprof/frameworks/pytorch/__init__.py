"""PyTorch, and what ExecuTorch needs of it too (graph, source, pt2e). Import ADAPTER from here."""

from hwprof.frameworks.pytorch.adapter import ADAPTER as ADAPTER
