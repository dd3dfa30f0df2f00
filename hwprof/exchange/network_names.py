"""What other benchmarks call a network: its name here, its MACs and parameters.

A name of the first table is that of an architecture which hwprof ships, so that its MACs are counted on the shipped
graph at the size of the table. The second table has the figures that Open Model Zoo publishes for networks of its own
names (models/public/index.md, GFlops and mParams; a multiply-accumulate is two operations there): they hold at the
network's published size alone.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from hwprof.errors import HwprofError
from hwprof.networks.find import resolve
from hwprof.networks.table import TABLE

# hwprof's name -> names of the same architecture
SAME: dict[str, tuple[str, ...]] = {
    "densenet121": ("densenet-121", "densenet-121-tf", "densenet-121-caffe2"),
    "efficientnet_b0": ("efficientnet-b0", "efficientnet-b0-pytorch"),
    "mobilenet_v2": ("mobilenet-v2-pytorch", "mobilenet-v2-1.0-224", "mobilenetv2_1.0"),
    "mobilenet_v3_small": ("mobilenet-v3-small-1.0-224-tf",),
    "resnet18": ("resnet-18", "resnet-18-pytorch"),
    "resnet50": ("resnet-50", "resnet-50-pytorch"),
    "shufflenet_v2_x1_0": ("shufflenet-v2-x1.0",),
    "squeezenet1_1": ("squeezenet1.1", "squeezenet1.1-caffe2"),
    "vgg16": (),
}


class ZooEntry(NamedTuple):
    """A network of Open Model Zoo: side of its image in pixels, giga-operations and million parameters."""

    size: int
    gflops: float
    mparams: float


# Names of one network that is trained in several frameworks stand together.
ZOO: dict[tuple[str, ...], ZooEntry] = {
    ("caffenet",): ZooEntry(227, 1.5, 60.965),
    ("dla-34",): ZooEntry(224, 6.1368, 15.7344),
    ("efficientnet-v2-b0",): ZooEntry(224, 1.4641, 7.1094),
    ("efficientnet-v2-s",): ZooEntry(384, 16.9406, 21.3816),
    ("googlenet-v2", "googlenet-v2-tf"): ZooEntry(224, 4.058, 11.185),
    ("googlenet-v3", "googlenet-v3-pytorch"): ZooEntry(299, 11.469, 23.817),
    ("googlenet-v4", "googlenet-v4-tf"): ZooEntry(299, 24.584, 42.648),
    ("hbonet-0.25",): ZooEntry(224, 0.0758, 1.9299),
    ("hbonet-1.0",): ZooEntry(224, 0.6208, 4.5443),
    ("inception-resnet-v2", "inception-resnet-v2-tf"): ZooEntry(299, 22.227, 30.223),
    ("mixnet-l",): ZooEntry(224, 0.565, 7.3),
    ("mobilenet-ssd",): ZooEntry(300, 2.316, 5.783),
    ("mobilenet-v1-0.25-128",): ZooEntry(128, 0.028, 0.468),
    ("mobilenet-v1-1.0-224", "mobilenet-v1-1.0-224-tf"): ZooEntry(224, 1.148, 4.221),
    ("mobilenet-v2-1.4-224",): ZooEntry(224, 1.183, 6.087),
    ("mobilenet-v3-large-1.0-224-tf",): ZooEntry(224, 0.4450, 5.4721),
    ("octave-resnet-26-0.25",): ZooEntry(224, 3.768, 15.99),
    ("pelee-coco",): ZooEntry(304, 1.290, 5.98),
    ("regnetx-3.2gf",): ZooEntry(224, 6.3893, 15.2653),
    ("repvgg-a0",): ZooEntry(224, 2.7286, 8.3094),
    ("repvgg-b1",): ZooEntry(224, 23.6472, 51.8295),
    ("repvgg-b3",): ZooEntry(224, 52.4407, 110.9609),
    ("resnest-50-pytorch",): ZooEntry(224, 10.8148, 27.4493),
    ("resnet-34", "resnet-34-pytorch"): ZooEntry(224, 7.3409, 21.7892),
    ("rexnet-v1-x1.0",): ZooEntry(224, 0.8325, 4.7779),
    ("se-inception",): ZooEntry(224, 4.091, 11.922),
    ("se-resnet-50",): ZooEntry(224, 7.775, 28.061),
    ("se-resnext-50",): ZooEntry(224, 8.533, 27.526),
    ("shufflenet-v2-x0.5",): ZooEntry(224, 0.08465, 1.363),
    ("squeezenet1.0",): ZooEntry(227, 1.737, 1.248),
    ("ssd300",): ZooEntry(300, 62.815, 26.285),
    ("ssd512",): ZooEntry(512, 180.611, 27.189),
    ("swin-tiny-patch4-window7-224",): ZooEntry(224, 9.0280, 28.8173),
    ("t2t-vit-14",): ZooEntry(224, 9.5451, 21.5498),
    ("vgg19",): ZooEntry(224, 39.3, 143.667),
    ("yolo-v2-tf",): ZooEntry(608, 63.0301, 50.9526),
    ("yolo-v3-tf",): ZooEntry(416, 65.9843, 61.9221),
    ("yolo-v4-tf",): ZooEntry(608, 129.5567, 64.33),
}
_HERE = {theirs: ours for ours, names in SAME.items() for theirs in (ours, *names)}
_ZOO = {name: (names[0], entry) for names, entry in ZOO.items() for name in names}
PUBLISHED = "Open Model Zoo's GFlops / 2"


class KnownNetwork(NamedTuple):
    """A network by hwprof's name. MACs per frame and parameters, None: not known; `macs_by`: whose figure that is."""

    name: str
    macs: int | None = None
    params: int | None = None
    macs_by: str = ""


@functools.lru_cache(maxsize=4096)
def known_network(name: str, size: int) -> KnownNetwork:
    """What is known of a network of this name at `size` pixels (0: no square image).

    A name that no table has stays as it is.
    """
    folded = re.sub(r"\s+", "-", name.strip()).lower()
    if (ours := _HERE.get(folded)) is not None:
        return KnownNetwork(ours, *_counted(ours, size))
    own, entry = _ZOO.get(folded, (name, None))
    if entry is None or entry.size != size:
        return KnownNetwork(own)
    return KnownNetwork(own, round(entry.gflops * 5e8), round(entry.mparams * 1e6), PUBLISHED)


def _counted(name: str, size: int) -> tuple[int | None, int | None, str]:
    """MACs of a shipped network at this side, and its parameters."""
    params = TABLE[name].params
    if not size:
        return None, params, ""
    try:
        macs = resolve(name).macs(size, 1)
    except HwprofError:  # it takes no such size
        return None, params, ""
    return macs, params, "" if macs is None else "hwprof's graph of the same architecture"
