"""ExecuTorch. Import ADAPTER from here."""

from hwprof.frameworks.executorch.adapter import ADAPTER as ADAPTER
