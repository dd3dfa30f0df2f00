"""Which instruction sets are tried, and whether the compiler did as it was told: its assembly is read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hwprof.errors import NotInstalled
from hwprof.studies.ceilings import kernels
from hwprof.studies.ceilings.kernels import KernelBuild


def names(architecture: str, *extensions: str) -> list[str]:
    return [v.name for v in kernels.variants(architecture, extensions)]


def test_only_what_the_cpu_has_is_tried() -> None:
    assert names("x86_64") == ["scalar", "sse2"]
    assert names("x86_64", "avx2", "fma") == ["scalar", "sse2", "avx2"]
    assert names("x86_64", "avx2") == ["scalar", "sse2"]
    assert names("x86_64", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_fp16")[2:] == [
        "avx2",
        "avx512",
        "avx512vnni",
        "avx512fp16",
    ]
    assert names("aarch64", "asimd", "asimddp", "asimdhp") == ["scalar", "neon", "dotprod", "neon-fp16"]
    assert names("riscv64", "v", "zvfh") == ["scalar", "rvv", "rvv-fp16"]
    assert names("sparc") == ["scalar"]


COMPILERS = {
    "x86_64": ("gcc", "x86_64-linux-gnu-gcc"),
    "aarch64": ("aarch64-linux-gnu-gcc",),
    "riscv64": ("riscv64-linux-gnu-gcc",),
}
EVERY = ("avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "asimddp", "asimdhp")


@pytest.mark.cc
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_the_compiler_makes_vectors_of_the_arithmetic(architecture: str, tmp_path: Path) -> None:
    own = os.uname().machine == architecture
    compiler = next((c for c in COMPILERS[architecture] if shutil.which(c) and (own or "-" in c)), None)
    if compiler is None:
        pytest.skip(f"no compiler for {architecture}")
    for variant in kernels.variants(architecture, EVERY):
        built = kernels.build(variant, tmp_path, compiler)
        assert built.path is not None, built.why
        expected = {} if variant.name == "scalar" else dict.fromkeys(variant.kinds, True)
        assert built.vectors == expected, variant.name


@pytest.mark.cc
def test_the_twelve_chains_are_not_folded_into_one(tmp_path: Path) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("x86 assembly")
    variant = next(v for v in kernels.variants("x86_64", ("avx2", "fma")) if v.name == "avx2")
    built = kernels.build(variant, tmp_path)
    assert built.path is not None
    body = kernels.function_lines(built.path.with_suffix(".s").read_text(), "fp_work")
    assert body.count("vfmadd") >= 12


@pytest.mark.cc
def test_what_a_compiler_does_not_know_is_said(tmp_path: Path) -> None:
    built = kernels.build(KernelBuild("odd", 16, ("-march=no-such-thing",)), tmp_path)
    assert built.path is None
    assert "can't" in built.why


def test_without_a_compiler_there_is_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled):
        kernels.build(KernelBuild("scalar", 4), tmp_path, "no-such-compiler")


def test_assembly_without_vectors_is_called_that() -> None:
    text = "fp_work:\n\tmulss\t%xmm0, %xmm1\n\t.size\tfp_work, .-fp_work\n"
    variant = KernelBuild("sse2", 16, (), r"mulps\s.*xmm", kinds=("fp",))
    assert kernels.find_vectors(variant, text) == {"fp": False}
    assert kernels.find_vectors(variant, text.replace("mulss", "mulps")) == {"fp": True}
