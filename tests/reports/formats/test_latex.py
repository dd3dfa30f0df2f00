"""Tables in LaTeX: wide ones are wrapped, and pdflatex takes them where it is installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hwprof.reports.formats import latex
from hwprof.reports.tables import Report, Table

WIDE = Table(
    "A wide & special table_1",
    ("metric", "origin", "N", "r", "95 %", "note"),
    (
        ("l1d-misses", "SIMULATED", "9", "−0.31", "[-0.81 ... +0.42]", "reliability 0.62: more rounds; " * 4),
        ("llc_misses", "hardware", "9", "+0.10", "[-0.60 ... +0.71]", "100 % of 3 × 4 µs, x² < 5 °C … 50 $ #1 {a} ~b^"),
    ),
    "+10 % ↔ −3 % FPS.",
)
NARROW = Table("Narrow", ("a", "b"), (("1", "2"),))


def test_a_table_that_fits_is_left_as_it_is_and_a_wide_one_is_wrapped_within_the_line() -> None:
    text = latex.tables(Report(("said",), (WIDE, NARROW)))
    assert r"\begin{longtable}{ll}" in text
    shares = [float(v) for v in re.findall(r"p\{([\d.]+)\\linewidth\}", text)]
    assert len(shares) == len(WIDE.header)
    assert 0.8 < sum(shares) < 1


@pytest.mark.pdflatex
def test_pdflatex_sets_the_tables_within_the_line(tmp_path: Path) -> None:
    (tmp_path / "report.tex").write_text(latex.tables(Report(("said",), (WIDE, NARROW))), encoding="utf-8")
    document = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs,longtable}"
    (tmp_path / "doc.tex").write_text(document + r"\begin{document}\input{report.tex}\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "doc.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "doc.pdf").stat().st_size > 1000
    overfull = [float(v) for v in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert max(overfull, default=0.0) < 12
