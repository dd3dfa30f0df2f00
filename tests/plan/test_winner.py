"""The subject of a tuning: what is one, and how it is named."""

from __future__ import annotations

import dataclasses

from hwprof.plan.winner import Subject

SQUARE = Subject("onnxruntime", "resnet18", "builtin-3 seed 0", 224, 1, "fp32")
NARROW = dataclasses.replace(SQUARE, size=0, shape="3x48x320")


def test_subjects_of_two_shapes_have_keys_and_titles_of_their_own() -> None:
    wide = dataclasses.replace(NARROW, shape="3x48x640")
    assert len({SQUARE.key, NARROW.key, wide.key}) == 3
    assert wide.title == "onnxruntime resnet18 3x48x640 b1 fp32"
    assert SQUARE.title == "onnxruntime resnet18 224px b1 fp32"


def test_a_subject_without_a_shape_has_the_key_of_before_there_were_shapes() -> None:
    assert SQUARE.key == "54159b631b667eec6f869bfe6d105058a548104ea625d12e409bf2c617dfaccc"
