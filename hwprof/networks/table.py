"""The built-in networks: what each is, takes and costs. Standard library only; a test holds it to the graphs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hwprof.errors import UnknownNetwork, UsageError
from hwprof.networks.inputs import InputSpec, TensorSpec

# Raised when a graph, the filling or the scales change: results of different recipes are different networks.
RECIPE = 2
SMALLEST = 32
# Tokens of a sequence, of a prompt, and of the past that a decoder's step looks back at.
TOKENS = 128
BERT_WORDS, LLAMA_WORDS = 30_522, 8_192
LLAMA_LAYERS, LLAMA_CACHE = 4, (2, TOKENS, 32)  # heads of keys and values, positions, channels


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """A built-in network. `macs` and `params` at `size`, batch 1; `sizes` empty: any side from `smallest` pixels.

    `size` 0: it takes no images but `inputs`, whose shapes are those of batch 1.
    """

    name: str
    title: str
    size: int
    macs: int
    params: int
    source: str
    sizes: tuple[int, ...] = ()
    recipe: int = RECIPE
    task: str = "classification"
    smallest: int = SMALLEST  # the smallest side
    multiple: int = 1  # a side must be a multiple of this
    settled: int = 0  # side of the images that its normalisation is calibrated on, where fill's are too small
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[str, ...] = ()  # their names, where there are several
    batch: int | None = None  # the only one that it takes
    torchvision: bool = False  # it has real weights there

    def input_spec(self, size: int | None, batch: int) -> InputSpec:
        """The inputs for this side (None: its own) and batch. Raises UsageError for what it can't take."""
        if self.batch not in (None, batch):
            raise UsageError(f"{self.name} takes a batch of {self.batch} only, not {batch}")
        if not self.inputs:
            side = self._side(size)
            return InputSpec("input", (batch, 3, side, side), outputs=self.outputs)
        if size:
            raise UsageError(f"{self.name} takes no images, so it has no size in pixels", "omit --size")
        first, *others = (self._batched(one, batch) for one in self.inputs)
        return InputSpec(
            first.name, first.shape, first.dtype, self.outputs, first.batch_axis, first.use, others=tuple(others)
        )

    @staticmethod
    def _batched(one: TensorSpec, batch: int) -> TensorSpec:
        axis = one.batch_axis
        if axis is None:
            return one
        return dataclasses.replace(one, shape=(*one.shape[:axis], batch, *one.shape[axis + 1 :]))

    def _side(self, size: int | None) -> int:
        side = size or self.size
        if self.sizes and side not in self.sizes:
            why = "its classifier is fixed" if self.task == "classification" else "its positions are fixed"
            raise UsageError(f"{self.name} takes {self.sizes[0]} pixels only, not {side}", why)
        if side < self.smallest:
            raise UsageError(f"{self.name} needs at least {self.smallest} pixels, not {side}")
        if side % self.multiple:
            near = max(self.smallest, side - side % self.multiple)
            raise UsageError(
                f"{self.name} takes multiples of {self.multiple} pixels, not {side}", f"as in --size {near}"
            )
        return side

    @property
    def calibration_size(self) -> int | None:
        """Side of the images that normalisation and gains are calibrated on; None: fill's own."""
        return self.settled or next(iter(self.sizes), None)

    @property
    def input_title(self) -> str:
        """`1x3x224x224`; `ids 1x128 int64, mask 1x1x1x128`; of many inputs the first two and how many more."""
        if not self.inputs:
            return f"1x3x{self.size}x{self.size}"
        if len(self.inputs) == 1:
            return self.inputs[0].title
        more = f", {len(self.inputs) - 2} more" if len(self.inputs) > 2 else ""
        return ", ".join(f"{one.name} {one.title}" for one in self.inputs[:2]) + more


def _words(count: int, tokens: int, seen: int) -> tuple[TensorSpec, ...]:
    """Ids of `tokens` of a vocabulary, and what is added to the scores of the `seen` positions (0: looked at)."""
    return (
        TensorSpec("ids", (1, tokens), "int64", use=f"ids:{count}"),
        TensorSpec("mask", (1, 1, 1, seen), use="zeros"),
    )


def _caches(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{part}_{i}" for i in range(LLAMA_LAYERS) for part in ("key", "value"))


def _classifier(name: str, title: str, macs: int, params: int, source: str, sizes: tuple[int, ...] = ()) -> NetworkInfo:
    """An architecture of torchvision."""
    return NetworkInfo(name, title, 224, macs, params, source, sizes, torchvision=True)


_MAPS = tuple(f"{part}_{stride}" for stride in (16, 32, 64) for part in ("boxes", "scores"))
_PAST = tuple(TensorSpec(name, (1, *LLAMA_CACHE)) for name in _caches("past"))

TABLE = {
    info.name: info
    for info in (
        _classifier("alexnet", "AlexNet", 714_188_480, 61_100_840, "Krizhevsky 2014", (224,)),
        _classifier("densenet121", "DenseNet-121", 2_834_161_664, 7_978_856, "Huang et al. 2017"),
        _classifier("efficientnet_b0", "EfficientNet-B0", 385_814_752, 5_288_548, "Tan and Le 2019"),
        _classifier("googlenet", "GoogLeNet", 1_498_376_192, 6_624_904, "Szegedy et al. 2015"),
        _classifier("mobilenet_v2", "MobileNetV2", 300_774_272, 3_504_872, "Sandler et al. 2018"),
        _classifier("mobilenet_v3_small", "MobileNetV3-Small", 56_510_400, 2_542_856, "Howard et al. 2019"),
        _classifier("resnet18", "ResNet-18", 1_814_073_344, 11_689_512, "He et al. 2016"),
        _classifier("resnet50", "ResNet-50", 4_089_184_256, 25_557_032, "He et al. 2016"),
        _classifier("shufflenet_v2_x1_0", "ShuffleNetV2 x1.0", 144_907_992, 2_278_604, "Ma et al. 2018"),
        _classifier("squeezenet1_1", "SqueezeNet 1.1", 349_151_936, 1_235_496, "Iandola et al. 2016"),
        _classifier("vgg16", "VGG-16", 15_470_264_320, 138_357_544, "Simonyan and Zisserman 2015", (224,)),
        NetworkInfo("vit_tiny", "ViT-Ti/16", 224, 1_253_683_200, 5_717_224, "Touvron et al. 2021", (224,)),
        NetworkInfo(
            "ssdlite",
            "SSDLite, MobileNetV2 x0.5",
            320,
            188_193_600,
            650_946,
            "Sandler et al. 2018",
            task="detection",
            smallest=96,  # OpenCV 4 is wrong in depthwise convolutions of maps of one pixel
            settled=224,  # on maps of two pixels most of a filter lies on padding
            outputs=_MAPS,
        ),
        NetworkInfo(
            "unet",
            "U-Net, 16 channels",
            224,
            1_791_885_312,
            483_077,
            "Ronneberger et al. 2015",
            task="segmentation",
            multiple=8,
        ),
        NetworkInfo(
            "bert_mini",
            "BERT-Mini",
            0,
            436_207_616,
            11_005_952,
            "Turc et al. 2019",
            task="encoder",
            inputs=_words(BERT_WORDS, TOKENS, TOKENS),
        ),
        NetworkInfo(
            "llama_prefill",
            "a small Llama, a prompt of 128 tokens",
            0,
            396_361_728,
            7_014_656,
            "Touvron et al. 2023",
            task="prefill",
            inputs=_words(LLAMA_WORDS, TOKENS, TOKENS),
            outputs=("logits", *_caches("present")),
        ),
        NetworkInfo(
            "llama_decode",
            "a small Llama, one token after 128",
            0,
            5_179_392,
            7_014_656,
            "Touvron et al. 2023",
            task="decode",
            inputs=(*_words(LLAMA_WORDS, 1, TOKENS + 1), *_PAST),
            outputs=("logits", *_caches("present")),
        ),
        NetworkInfo(
            "gru_keywords",
            "keyword spotter of two GRU layers",
            0,
            15_957_504,
            165_900,
            "Zhang et al. 2017",
            task="keywords",
            inputs=(TensorSpec("input", (1, 98, 40)),),
            batch=1,  # OpenCV wants the first state of a GRU as a constant, and that has a batch
        ),
        NetworkInfo("tiny_cnn", "a network for tests and emulated boards", 32, 2_814_592, 32_858, "hwprof"),
    )
}


def names() -> tuple[str, ...]:
    """Names of the built-in networks."""
    return tuple(TABLE)


def info(name: str) -> NetworkInfo:
    """What is known of a built-in network. Raises UnknownNetwork."""
    if name not in TABLE:
        raise UnknownNetwork(name, TABLE)
    return TABLE[name]
