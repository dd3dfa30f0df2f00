"""Shares, intervals and McNemar's test on answers that were planted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from hwprof.analysis import accuracy

CLASSES = 8


def answers(labels: Any, wrong: Any = ()) -> Any:
    """Five answers per image: the label first, or second where the image is among the wrong ones."""
    top = np.stack([(labels + i) % CLASSES for i in range(5)], axis=1).astype(np.int32)
    for index in wrong:
        top[index, :2] = top[index, 1::-1]
    return top


@pytest.fixture
def labels() -> Any:
    return np.arange(200, dtype=np.int64) % CLASSES


def test_an_interval_is_wilsons() -> None:
    found = accuracy.share(712, 1000)
    z, p, n = stats.norm.ppf(0.975), 0.712, 1000
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (found.low, found.high) == pytest.approx((middle - reach, middle + reach), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(proportion_confint(712, 1000, method="wilson"), rel=1e-12)


def test_all_right_still_has_an_interval() -> None:
    found = accuracy.share(80, 80)
    assert found.value == 1.0
    assert 0.94 < found.low < 0.96


@pytest.mark.parametrize(("right", "of"), [(1, 0), (3, 2), (-1, 5)])
def test_a_share_that_cannot_be_is_refused(right: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"{right} of {of}"):
        accuracy.share(right, of)


def test_a_right_answer_in_second_place_counts_for_the_five_only(labels: Any) -> None:
    found = accuracy.score("x", answers(labels, range(30)), labels, CLASSES)
    assert (found.top1.right, found.top1.of) == (170, 200)
    assert found.top5 is not None
    assert found.top5.right == 200


def test_five_classes_have_no_top_five(labels: Any) -> None:
    assert accuracy.score("x", answers(labels), labels, 5).top5 is None


def test_an_answer_that_is_not_finite_is_wrong_and_told(labels: Any) -> None:
    top = answers(labels)
    top[3] = -1
    found = accuracy.score("x", top, labels, CLASSES)
    assert (found.invalid, found.top1.right) == (1, 199)


def test_mcnemar_is_the_binomial_test_of_the_images_that_only_one_has_right(labels: Any) -> None:
    # 4 images only the first has right, 15 only the second, 6 neither
    tops = {"a": answers(labels, [*range(10, 25), *range(30, 36)]), "b": answers(labels, [*range(4), *range(30, 36)])}
    (found,) = accuracy.pairs(tops, labels)
    assert (found.only_first, found.only_second) == (4, 15)
    assert found.p == pytest.approx(stats.binomtest(4, 19, 0.5).pvalue, rel=1e-12)
    assert found.p_holm == found.p
    assert found.difference == pytest.approx(11 / 200)
    assert found.agreement == pytest.approx((200 - 19) / 200)
    assert found.low < found.difference < found.high


def test_three_frameworks_are_three_pairs_adjusted_together(labels: Any) -> None:
    tops = {"a": answers(labels), "b": answers(labels, range(8)), "c": answers(labels, range(3))}
    found = accuracy.pairs(tops, labels)
    assert [(p.first, p.second) for p in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    raw = sorted(p.p for p in found)
    assert min(p.p_holm for p in found) == pytest.approx(min(1.0, 3 * raw[0]))
    assert all(p.p_holm >= p.p for p in found)


def test_one_framework_is_no_pair(labels: Any) -> None:
    assert accuracy.pairs({"a": answers(labels)}, labels) == ()


def test_two_that_are_wrong_together_agree_but_not_where_neither_answers(labels: Any) -> None:
    tops = {"a": answers(labels, [1, 2]), "b": answers(labels, [1, 2])}
    tops["a"][5] = tops["b"][5] = -1
    assert accuracy.pairs(tops, labels)[0].agreement == pytest.approx(199 / 200)


def test_the_interval_of_a_difference_covers_it_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(11)
    truth = 0.06 - 0.03
    draws = rng.multinomial(400, [0.03, 0.06, 0.91], size=4000)
    inside = [low <= truth <= high for low, high in (accuracy.paired_interval(b, c, 400) for b, c, _ in draws)]
    assert 0.935 < np.mean(inside) < 0.975


def test_few_images_neither_confirm_nor_refute_a_tenth_of_a_point(labels: Any) -> None:
    (same,) = accuracy.pairs({"a": answers(labels), "b": answers(labels)}, labels)
    assert accuracy.holds(same, 0.1) is None
    assert accuracy.holds(same, 5.0) is True
    (other,) = accuracy.pairs({"a": answers(labels), "b": answers(labels, range(60))}, labels)
    assert accuracy.holds(other, 0.1) is False
    assert accuracy.holds(dataclasses.replace(other, p_holm=0.2), 0.1) is None
