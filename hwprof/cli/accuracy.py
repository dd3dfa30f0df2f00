"""Top-1 and top-5 over a folder of labelled images, in one framework or several, with intervals and McNemar's test.

  hwprof accuracy --images imagenet/val -n mobilenet_v2 --pretrained -f onnxruntime,openvino,ncnn
  hwprof accuracy --images val --labels ILSVRC2012_validation_ground_truth.txt --synsets meta.mat -n ./mine.onnx

DIR has a folder per class, or images that --labels names. Every framework is given the same crops, made as the
network's own preprocessing says. A broken image is named and left out of every count; --strict refuses such a set.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.cli.options import RangeAction, add_case, add_former, choice_of, print_json, split_names
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from hwprof.networks.preprocess import Preprocess
    from hwprof.plan.cases import PlannedCase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    case = partial(add_case, parser)
    add = parser.add_argument_group("the images").add_argument
    add("--images", required=True, metavar="DIR", help="a folder per class, or one of images with --labels")
    add("--labels", metavar="FILE", help="'name class' per line, or one class per line in the order of names")
    add("--synsets", metavar="FILE", help="which class a synset is: LOC_synset_mapping.txt, map_clsloc.txt, meta.mat")
    add("--first-class", type=int, default=0, metavar="N", help="the number of the first class in FILE")
    add(
        "--limit", action=RangeAction, default=0, metavar="N", help="so many images, evenly over the set (default: all)"
    )
    add("--resize", type=int, metavar="PX", help="shorter side before the crop in pixels (default: the network's own)")
    add("--interpolation", choices=("bilinear", "bicubic"), help="of resizing (default: the network's own)")
    add("--mean", metavar="R,G,B", help="that is subtracted (default: the network's own)")
    add("--std", metavar="R,G,B", help="that is divided by (default: the network's own)")
    add("--decoder", default="auto", metavar="NAME", help="pillow or opencv (default: pillow where it is)")
    add("--strict", action="store_true", help="refuse a set with broken images")
    case("framework", metavar="NAMES", help="with commas, as opencv,pytorch:mode=inductor")
    add_former(parser, "--frameworks", "framework")
    case("network", "pretrained")
    case("size", help="side of the crop in pixels (default: the network's own)")
    case("batch", default=16, help="frames per inference")
    case("threads")
    case("precision", metavar="NAMES", help="with commas, as fp32,int8")
    case("timeout", default=0.0, help="seconds per framework (default: 10 minutes and 2 s per image)")
    case("seed", help="of seeded weights")
    case("json")


def main(args: argparse.Namespace) -> int:
    from hwprof.collectors.memory import headroom
    from hwprof.errors import CaseFailed
    from hwprof.networks import preprocess
    from hwprof.reports.terminal import accuracy as report
    from hwprof.runner.launcher import Launcher
    from hwprof.runner.workshop import PreparationFailed, Workshop
    from hwprof.studies.accuracy import dataset, measure

    labels, synsets = (None if name is None else Path(name) for name in (args.labels, args.synsets))
    data = dataset.read(Path(args.images), labels, synsets, args.first_class).spread(args.limit)
    library = preprocess.decoder(args.decoder)
    cases, refused = cases_of(args)
    if not cases:
        raise UsageError("; ".join(refused))
    for line in refused:
        say(line)
    timeout = args.timeout or 600 + 2.0 * len(data.images)
    workshop = Workshop(Launcher(headroom=headroom), args.seed, timeout)
    how = preprocess_of(args, cases[0][1].case.network, cases[0][1].spec.shape)
    try:
        result = measure.measure(workshop, cases, data, how, library, say, args.strict)
    except PreparationFailed as error:
        raise CaseFailed(error.failure.message, error.failure.remedy) from error
    if args.json:
        print_json(report.document(result))
    else:
        print(report.text(result))
    return EXIT_CASES_FAILED if result.failures or refused else EXIT_OK


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"hwprof: {line}", file=sys.stderr, flush=True)


def cases_of(args: argparse.Namespace) -> tuple[list[tuple[str, PlannedCase]], list[str]]:
    """(name, planned case) of every framework and precision, and a line for each that knows no such precision."""
    from hwprof.environments import interpreters
    from hwprof.frameworks import fidelity
    from hwprof.plan.cases import plan
    from hwprof.plan.experiment import Experiment
    from hwprof.plugins import adapter
    from hwprof.studies.matrix.matrix import columns

    found: list[tuple[str, PlannedCase]] = []
    refused = []
    for precision in split_names(args.precision):
        fidelity.tolerance(precision)
        for column in columns(split_names(args.framework)):
            one = adapter(column.framework)
            interpreters.require(column.framework, one.environment)
            if precision not in one.precisions:
                known = ", ".join(one.precisions)
                refused.append(f"{column.name} computes no {precision} here; it knows {known}")
                continue
            choice = choice_of(args, framework=column.framework, precision=precision, options=column.options)
            planned = plan(Experiment("accuracy", (choice,), seed=args.seed))[0]
            found.append((f"{column.name} {planned.case.precision}", planned))
    return found, refused


def preprocess_of(args: argparse.Namespace, network: str, shape: tuple[int, ...]) -> Preprocess:
    """The network's own preprocessing with what the command line says instead. Raises UsageError."""
    from hwprof.networks import preprocess

    how = preprocess.preprocess_of(network)
    if len(shape) != 4:
        raise UsageError(f"{network} takes no images, but an input of {'x'.join(map(str, shape))}")
    if shape[1] == 1 and len(how.mean) == 3:  # what ImageNet's numbers are for grey images, on the average
        how = dataclasses.replace(how, mean=(0.449,), std=(0.226,))
    if args.resize is not None:
        crop = max(shape[2:])
        if args.resize < crop:
            raise UsageError(f"--resize {args.resize} is less than the crop of {crop} pixels")
        how = dataclasses.replace(how, resize=args.resize, crop=crop)
    if args.interpolation:
        how = dataclasses.replace(how, interpolation=args.interpolation)
    if args.mean is not None:
        how = dataclasses.replace(how, mean=numbers("mean", args.mean, shape[1]))
    if args.std is not None:
        how = dataclasses.replace(how, std=numbers("std", args.std, shape[1]))
    return how


def numbers(name: str, text: str, count: int) -> tuple[float, ...]:
    """`0.5,0.5,0.5`; one number stands for every channel."""
    try:
        found = tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise UsageError(f"--{name} {text}", "numbers with commas, as 0.5,0.5,0.5") from error
    found = found * count if len(found) == 1 else found
    if len(found) != count or (name == "std" and min(found) <= 0):
        raise UsageError(f"--{name} {text}", f"{count} numbers{' above 0' if name == 'std' else ''}, one per channel")
    return found
