"""The networks themselves: architectures shipped as graphs without weights (see `table`), and users' .onnx files."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import BadModel, NotAvailable, NotInstalled, UsageError
from hwprof.networks import fill
from hwprof.networks.graph import reshape_for, side_for, totals
from hwprof.networks.inputs import InputSpec
from hwprof.networks.table import TABLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Behind a built-in name: torchvision's real weights instead of seeded ones.
REAL = ":pretrained"


def resize_graph(model: Any, size: int, recorded: int) -> Any:
    """A copy of a shipped graph for another input side: shapes of input and maps, and constants that depend on them."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for dim in copy.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    for value in copy.graph.output:  # maps
        dims = value.type.tensor_type.shape.dim
        if len(dims) == 4 and size != recorded:
            for dim in dims[2:]:
                dim.dim_value = side_for(dim.dim_value, size, recorded)
    reshapes = {node.input[1] for node in copy.graph.node if node.op_type == "Reshape"}
    for initializer in copy.graph.initializer:
        if initializer.name in reshapes and size != recorded:
            dims = reshape_for([int(d) for d in numpy_helper.to_array(initializer)], size, recorded)
            initializer.CopyFrom(numpy_helper.from_array(np.array(dims, dtype=np.int64), initializer.name))
    return copy


@dataclass(frozen=True, slots=True)
class Network:
    """A network by name, or a user's file (`path`). `recipe` identifies its content."""

    name: str
    recipe: str
    default_size: int | None
    path: Path | None = None
    channels: int = 3
    input_name: str = "input"
    fixed_batch: int | None = None
    fixed_shape: tuple[int, ...] | None = None  # a user's input without the batch, where it is fixed
    real: bool = False  # torchvision's weights
    module: Path | None = None  # the .pt2 that `path` was exported from
    outputs: tuple[str, ...] = ()  # their names, where a user's network has several
    functions: bool = False  # it has functions of its own, which are inlined where it is read

    @property
    def source(self) -> str:
        """What `resolve` made this network from."""
        if self.path is not None:
            return str(self.module or self.path)
        return self.name + (REAL if self.real else "")

    @property
    def has_seeded_weights(self) -> bool:
        """Its weights come from the experiment's seed, not from a file."""
        return self.path is None and not self.real

    def input_spec(self, size: int | None, batch: int) -> InputSpec:
        """The input for this side (None: its own) and batch. Raises UsageError where the network can't take them."""
        if batch < 1:
            raise UsageError(f"batch must be at least 1, not {batch}")
        if self.fixed_batch not in (None, batch):
            raise UsageError(
                f"{self.name} was exported with a fixed batch of {self.fixed_batch}, not {batch}",
                "export it with a dynamic batch, or ask for that one",
            )
        if self.path is None:
            return TABLE[self.name].input_spec(size, batch)
        if self.fixed_shape is not None:
            if size and size not in self.fixed_shape[1:]:
                raise UsageError(
                    f"{self.name} takes {'x'.join(map(str, self.fixed_shape))} only, not {size} pixels",
                    "leave --size away, or export it for that size",
                )
            return InputSpec(self.input_name, (batch, *self.fixed_shape), outputs=self.outputs)
        if not size:
            raise UsageError(f"{self.name} takes any size: say which", "as in --size 224")
        return InputSpec(self.input_name, (batch, self.channels, size, size), outputs=self.outputs)

    def identity(self, seed: int, size: int | None) -> str:
        """What a cached file of this network depends on."""
        if not self.has_seeded_weights:
            inlined = " inlined" if self.functions else ""
            return f"{self.name} {self.recipe} size {size or self.default_size}{inlined}"
        return f"{self.name} {self.recipe} seed {seed} size {size or self.default_size}"

    def model(self, size: int | None = None) -> Any:
        """The onnx.ModelProto without functions of its own; a built-in one without weights, for the given side."""
        import onnx

        if self.path is not None:
            model = onnx.load(str(self.path))
            return inline_functions(model) if self.functions else model
        folder = resources.files("hwprof.networks") / "graphs"
        shipped = onnx.load_from_string(gzip.decompress((folder / f"{self.name}.onnx.gz").read_bytes()))
        own = TABLE[self.name].size
        return resize_graph(shipped, size or own, own) if own else shipped

    def gains(self) -> dict[str, float]:
        """Calibration of a built-in network: layer -> factor on its weights."""
        text = (resources.files("hwprof.networks") / "graphs" / f"{self.name}.json").read_text()
        found: dict[str, float] = json.loads(text)
        return found

    def weights(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """Tensor -> its seeded values, the same for every size."""
        return fill.weights(self.model(TABLE[self.name].calibration_size or fill.SIZE), self.gains(), seed)

    def macs(self, size: int | None, batch: int) -> int | None:
        """Multiply-accumulates of one batch; None where the graph doesn't tell."""
        known = TABLE.get(self.name)
        if self.path is None and known and size in (None, known.size):
            return known.macs * batch
        return totals(self._shaped(size), batch)[0]

    def params(self, size: int | None = None) -> int:
        """Learned parameters; `size` matters to blocks, which are repeated the more often the smaller they are."""
        known = TABLE.get(self.name)
        return known.params if self.path is None and known else totals(self.model(size))[1]

    def _shaped(self, size: int | None) -> Any:
        """The model with its input's symbolic sides set, so that shapes can be inferred."""
        model = self.model(size)
        for dim, side in zip(
            model.graph.input[0].type.tensor_type.shape.dim[1:], (self.channels, size, size), strict=False
        ):
            if not dim.dim_value and side:
                dim.dim_value = side
        return model

    def write(self, path: Path, seed: int, size: int | None = None) -> None:
        """Write the .onnx with its weights; all of it or nothing. A user's file is written in one piece, as it
        is but for functions of its own, which few frameworks take: they are inlined.

        A torch program (.pt2) goes beside it under the same name.
        """
        import onnx

        if self.real:
            write_pretrained(self, path, size)
            return
        model = self.model(size)
        if self.path is None:
            fill.fill_weights(model, self.weights(seed))
        if self.module is not None:
            shutil.copyfile(self.module, path.with_suffix(".pt2"))
        with atomic_write(path) as half:
            onnx.save(model, str(half))


def inline_functions(model: Any) -> Any:
    """The same model with the nodes of its own functions in place of their calls."""
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; renamed into place at the end, removed on failure."""
    handle, name = tempfile.mkstemp(prefix=".half-", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def write_pretrained(network: Network, path: Path, size: int | None = None) -> None:
    """Write a built-in network with torchvision's real weights. Raises NotInstalled, or NotAvailable offline."""
    try:
        import torch

        library = torch.library.Library("torchvision", "FRAGMENT")
        # a CPU build of torch lacks these two, and torchvision doesn't load without their declaration
        for signature in (
            "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        ):
            with contextlib.suppress(RuntimeError):  # declared already: a build with operators of its own
                library.define(signature)
        from torchvision import models
    except ImportError as error:
        raise NotInstalled("torchvision", "pip install 'hwprof[pretrained]'") from error
    try:
        module = models.get_model(network.name, weights="DEFAULT")
    except ValueError as error:
        raise UsageError(f"torchvision has no weights for '{network.name}'") from error
    except OSError as error:
        raise NotAvailable(
            f"the weights of {network.name} could not be downloaded: {error}",
            "go online once, or leave --pretrained away",
        ) from error
    write_state(network, module.state_dict(), path, size)


def write_state(network: Network, state: Any, path: Path, size: int | None = None) -> None:
    """Write a built-in network with the tensors of a torchvision state_dict. Raises BadModel where one is missing."""
    import onnx

    model = network.model(size)
    for initializer in model.graph.initializer:
        if not fill.is_empty(initializer):
            continue
        if initializer.name not in state or tuple(state[initializer.name].shape) != tuple(initializer.dims):
            raise BadModel(network.name, f"the weights have no fitting '{initializer.name}'")
        initializer.raw_data = state[initializer.name].detach().numpy().astype("<f4").tobytes()
    with atomic_write(path) as half:
        onnx.save(model, str(half))
