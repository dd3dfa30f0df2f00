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
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import BadModel, NotAvailable, NotInstalled, UsageError
from hwprof.networks import fill, users_file
from hwprof.networks.graph import reshape_for, side_for
from hwprof.networks.inputs import UNSAID, InputChoice, InputSpec, OpenInput, give_shapes, image_axes, with_batch_axis
from hwprof.networks.size import SizeOfNetwork, size_of
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
    inputs: tuple[OpenInput, ...] = ()  # of a user's file
    real: bool = False  # torchvision's weights
    module: Path | None = None  # the .pt2 that `path` was exported from
    outputs: tuple[str, ...] = ()  # their names, where a user's network has several
    states: tuple[tuple[str, str], ...] = ()  # (output, input) that are one state, by their names
    choice: InputChoice = UNSAID  # what the user says of the inputs
    stored: str = ""  # the precision of a user's file, as `stored_precision` calls it; "": FP32

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

    @property
    def fixed_batch(self) -> int | None:
        """The batch that a user's file has written in; None: it is open, or there is none."""
        inputs = with_batch_axis(self.name, self.inputs, self.choice.batch_axis) if self.inputs else ()
        found = [one.dims[one.batch_axis] for one in inputs if one.batch_axis is not None]
        return found[0] if found and isinstance(found[0], int) else None

    @property
    def own_batch(self) -> int:
        """The batch of a case that names none: the fixed one, else 1."""
        return self.fixed_batch or 1

    def input_spec(self, size: int | None, batch: int) -> InputSpec:
        """The inputs for this side (None: its own) and batch. Raises UsageError where the network can't take them."""
        if self.path is not None:
            inputs = give_shapes(self.name, self.inputs, size, batch, self.choice)
            return InputSpec.of(inputs, self.outputs, self.choice.states or self.states)
        if self.choice != UNSAID:
            raise UsageError(f"{self.name} is built in: its inputs are known", "leave --shape, --dim and the like away")
        if batch < 1:
            raise UsageError(f"batch must be at least 1, not {batch}")
        return TABLE[self.name].input_spec(size, batch)

    def place(self, size: int | None, spec: InputSpec) -> tuple[int, str]:
        """`Case.size` and `Case.shape` of a case with these inputs."""
        if self.path is None:
            is_image = spec.is_image and not spec.frame
            return (size or self.default_size or 0, "") if is_image else (0, spec.frame)
        first = spec.inputs[0]
        sides = {first.shape[axis] for axis in image_axes(self.inputs[0])} if not spec.others else set()
        return (sides.pop() if len(sides) == 1 else 0), spec.frame

    def identity(self, seed: int, size: int | None) -> str:
        """What a cached file of this network depends on."""
        if self.path is None:
            seeded = f" seed {seed}" if self.has_seeded_weights else ""
            return f"{self.name} {self.recipe}{seeded} size {size or self.default_size}"
        inputs = [
            (one.shape, one.batch_axis) for one in self.input_spec(size, self.fixed_batch or 1).of_batch(1).inputs
        ]
        return f"{self.name} {self.recipe} written for {inputs}"

    def model(self, size: int | None = None) -> Any:
        """The onnx.ModelProto without functions of its own; a built-in one without weights, for the given side.

        A user's lacks the weights that lie in other files.
        """
        import onnx

        if self.path is not None:
            return users_file.read_plain(self.path)
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

    def measure(self, size: int | None = None, batch: int = 1) -> SizeOfNetwork:
        """MACs of one inference at this side and batch (a fixed batch stays), parameters, bytes of weights as stored.

        Where one of them is None, `unknown` says why.
        """
        return _size(self, size, batch)

    def macs(self, size: int | None, batch: int) -> int | None:
        """Multiply-accumulates of one inference, of all frames of its batch; None where the graph doesn't tell."""
        known = TABLE.get(self.name)
        if self.path is None and known and size in (None, known.size):
            return known.macs * batch
        return self.measure(size, batch).macs

    def params(self, size: int | None = None) -> int | None:
        """Learned parameters; `size` matters to blocks, which are repeated the more often the smaller they are."""
        known = TABLE.get(self.name)
        return known.params if self.path is None and known else self.measure(size).params

    def _shaped(self, size: int | None, keep_open: bool = False) -> Any:
        """The model with all dimensions of its inputs set but for the batch, so that shapes can be inferred."""
        model = self.model(size)
        if self.path is not None:
            users_file.fix_shapes(model, self.input_spec(size, self.fixed_batch or 1), keep_open)
        return model

    def write(self, path: Path, seed: int, size: int | None = None, keep_open: bool = False) -> None:
        """Write the .onnx with its weights; all of it or nothing.

        A user's file is written with the shapes of its inputs, without functions of its own, which few frameworks take,
        (`keep_open`: with its own) and in one piece below 2 GiB. A torch program (.pt2) goes beside it, named alike.
        """
        import onnx

        if self.real:
            write_pretrained(self, path, size)
            return
        model = self._shaped(size, keep_open)
        if self.path is None:
            fill.fill_weights(model, self.weights(seed))
        else:
            users_file.complete(model, self.path, path.parent)
        if self.module is not None:
            shutil.copyfile(self.module, path.with_suffix(".pt2"))
        with atomic_write(path) as half:
            onnx.save(model, str(half))


@lru_cache(maxsize=256)
def _size(network: Network, size: int | None, batch: int) -> SizeOfNetwork:
    if network.path is None:
        return size_of(network._shaped(size), batch)
    spec = network.input_spec(size, network.fixed_batch or batch)
    return size_of(network.model(size), batch, {one.name: one.shape for one in spec.inputs})


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
            "go online once, or omit --pretrained",
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
