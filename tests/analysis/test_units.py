"""What a ratio is averaged over, by the sessions of the rounds of both sides."""

from __future__ import annotations

from hwprof.analysis.units import choose_units


def test_units_are_common_sessions_then_sessions_of_each_then_rounds_of_the_last() -> None:
    common = choose_units(["a", "a", "b", "c"], ["a", "b", "d"])
    assert (common.over, common.paired) == ("sessions", True)
    assert (common.x, common.y) == (((0, 1), (2,)), ((0,), (1,)))
    own = choose_units(["a", "a", "b"], ["b", "c"])
    assert (own.over, own.paired, own.x, own.y) == ("sessions", False, ((0, 1), (2,)), ((0,), (1,)))
    one = choose_units(["a", "a", "b"], ["b", "b"])
    assert (one.over, one.paired, one.x, one.y) == ("rounds", False, ((2,),), ((0,), (1,)))
    apart = choose_units(["a", "b", "b"], ["c"])
    assert (apart.x, apart.y) == (((1,), (2,)), ((0,),))
