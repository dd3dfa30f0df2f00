"""Other benchmarks' names of networks."""

from __future__ import annotations

import pytest

from hwprof.exchange.network_names import PUBLISHED, SAME, ZOO, known_network
from hwprof.networks.table import TABLE


@pytest.mark.parametrize("name", ["resnet-50-pytorch", "resnet50", "ResNet-50"])
def test_names_of_one_architecture_are_one_network_with_its_macs(name: str) -> None:
    found = known_network(name, 224)
    assert (found.name, found.macs, found.params) == ("resnet50", TABLE["resnet50"].macs, TABLE["resnet50"].params)


def test_macs_are_those_at_the_size_of_the_table() -> None:
    own, larger = known_network("squeezenet1.1", 224), known_network("squeezenet1.1", 227)
    assert own.macs == TABLE["squeezenet1_1"].macs
    assert own.macs is not None
    assert larger.macs is not None
    assert larger.macs > own.macs
    assert known_network("squeezenet1.1", 0).macs is None
    assert known_network("vgg16", 300).macs is None  # it takes 224 pixels only


def test_published_operations_hold_at_the_published_size_alone() -> None:
    found = known_network("googlenet-v4-tf", 299)
    assert found == ("googlenet-v4", 12_292_000_000, 42_648_000, PUBLISHED)
    assert known_network("googlenet-v4-tf", 224) == ("googlenet-v4", None, None, "")


def test_a_network_that_no_table_has_keeps_its_name() -> None:
    assert known_network("My Net", 224) == ("My Net", None, None, "")


def test_every_name_stands_for_one_network() -> None:
    names = [*SAME, *(one for names in SAME.values() for one in names), *(one for names in ZOO for one in names)]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)
    assert set(SAME) <= set(TABLE)
