"""Every class has instructions of known encoding; where two share an opcode, both sides of the line are tried."""

from __future__ import annotations

import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from hwprof.collectors.riscv.counters import METRICS
from tests.collectors.riscv.encodings import ALL, ASSEMBLED, Encoding

HARNESS = """
#include "classify.h"
#include <stdio.h>
int main(void)
{
    unsigned word, size;
    for (int i = 0; i < COUNTERS; i++)
        printf("%s ", names[i]);
    puts("");
    while (scanf("%x %u", &word, &size) == 2)
        puts(names[classify(word, size)]);
    return 0;
}
"""


def classified(folder: Path, words: list[str]) -> tuple[list[str], list[str]]:
    """The names of the counters, and the class of each word (hex; four digits: compressed)."""
    shutil.copy(str(resources.files("hwprof.collectors.riscv") / "classify.h"), folder)
    (folder / "harness.c").write_text(HARNESS)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run(["cc", *flags, "harness.c", "-o", "harness"], cwd=folder, check=True)
    given = "".join(f"{word} {len(word) // 2}\n" for word in words)
    told = subprocess.run([folder / "harness"], input=given, capture_output=True, text=True, check=True).stdout
    head, *classes = told.splitlines()
    return head.split(), classes


@pytest.mark.cc
def test_every_instruction_is_of_its_class(tmp_path: Path) -> None:
    _, classes = classified(tmp_path, [word for word, _, _ in ALL])
    wrong = [(text, got, wanted) for (_, wanted, text), got in zip(ALL, classes, strict=True) if got != wanted]
    assert wrong == []


@pytest.mark.cc
def test_every_class_has_an_example_and_every_metric_names_classes_that_exist(tmp_path: Path) -> None:
    names, _ = classified(tmp_path, [])
    assert set(names) == {"instructions", *(wanted for _, wanted, _ in ALL)}
    assert {c for classes, _ in METRICS.values() for c in classes} <= set(names)


@pytest.mark.cc
def test_widths_of_fp_loads_and_stores_are_split_between_scalar_and_vector_without_rest(tmp_path: Path) -> None:
    scalar = {1: "half", 2: "single", 3: "double", 4: "quad"}  # the manual's table of widths
    words = [f"{base | width << 12:08x}" for base in (0x07, 0x27) for width in range(8)]
    _, classes = classified(tmp_path, words)
    loads = ["fp-load" if width in scalar else "vector-load" for width in range(8)]
    assert classes == loads + [name.replace("load", "store") for name in loads]


@pytest.mark.cc
def test_of_the_eight_kinds_of_vector_operation_only_the_last_sets_the_length(tmp_path: Path) -> None:
    _, classes = classified(tmp_path, [f"{0x57 | kind << 12:08x}" for kind in range(8)])
    assert classes == ["vector-arith"] * 7 + ["vset"]


def assembled(folder: Path, texts: list[str]) -> list[str]:
    """What the cross assembler makes of each instruction, in hex."""
    (folder / "all.s").write_text(".option norelax\n" + "".join(f"{text}\n" for text in texts))
    command = ["riscv64-linux-gnu-as", "-march=rv64gcv_zifencei", "all.s", "-o", "all.o"]
    subprocess.run(command, cwd=folder, check=True)
    dump = ["riscv64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", "all.o", "all.bin"]
    subprocess.run(dump, cwd=folder, check=True)
    code = (folder / "all.bin").read_bytes()
    words, at = [], 0
    while at < len(code):
        size = 4 if code[at] & 3 == 3 else 2
        words.append(f"{int.from_bytes(code[at : at + size], 'little'):0{size * 2}x}")
        at += size
    return words


@pytest.mark.board
def test_the_assembler_agrees_with_the_table(tmp_path: Path) -> None:
    rows: list[Encoding] = [row for row in ASSEMBLED if ".+" not in row[2]]
    # a jump to nowhere is left to the linker: those stay as the manual has them
    assert len(rows) > 90
    assert assembled(tmp_path, [text for _, _, text in rows]) == [word for word, _, _ in rows]
