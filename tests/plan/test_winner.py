"""The subject of a tuning: what is one, and how it is named."""

from __future__ import annotations

import argparse
import dataclasses
import shlex

from hwprof.cli import tune
from hwprof.plan.inputs import parse_inputs
from hwprof.plan.winner import Subject

SQUARE = Subject("onnxruntime", "resnet18", "builtin-3 seed 0", 224, 1, "fp32")
NARROW = dataclasses.replace(SQUARE, size=0, shape="3x48x320")


def test_subjects_of_two_shapes_have_keys_and_titles_of_their_own() -> None:
    wide = dataclasses.replace(NARROW, shape="3x48x640")
    assert len({SQUARE.key, NARROW.key, wide.key}) == 3
    assert wide.title == "onnxruntime resnet18 3x48x640 b1 fp32"
    assert SQUARE.title == "onnxruntime resnet18 224px b1 fp32"


def test_the_command_says_the_inputs_as_the_user_did() -> None:
    inputs = parse_inputs(["ids=1,128", "1,3,48,320"], ["seq=128"], "mine.npz", "none", ["hn:h0"])
    subject = dataclasses.replace(NARROW, size=28, options=(("inputs", "mine 1f0c"), ("spin", False)))
    words = shlex.split(subject.command("net.onnx", inputs))
    assert words[:8] == ["hwprof", "tune", "-f", "onnxruntime", "-n", "net.onnx", "-b", "1"]
    parser = argparse.ArgumentParser()
    tune.add_arguments(parser)
    args = parser.parse_args(words[2:])
    assert parse_inputs(args.shape, args.dim, args.inputs, args.batch_axis, args.state) == inputs
    assert args.option == ["spin=false"]
    assert not args.size
    assert SQUARE.command("resnet18").endswith("-b 1 -s 224")


def test_a_subject_without_a_shape_has_the_key_of_before_there_were_shapes() -> None:
    assert SQUARE.key == "54159b631b667eec6f869bfe6d105058a548104ea625d12e409bf2c617dfaccc"
