"""The tables of a report in LaTeX, for papers: booktabs rules, longtable, so that a long one may break over pages."""

from __future__ import annotations

from hwprof.reports.content import Report, Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "×": r"\ensuremath{\times}", "−": r"\ensuremath{-}", "↔": r"\ensuremath{\leftrightarrow}", "…": r"\ldots{}",
    "°": r"\ensuremath{^\circ}", "µ": r"\ensuremath{\mu}", "²": r"\ensuremath{^2}", "·": r"\ensuremath{\cdot}",
}  # fmt: skip
FREE = 40  # letters of a cell from which its column is wrapped


def escape(text: str) -> str:
    """Text that stands for itself in LaTeX."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def tables(report: Report) -> str:
    """Every table that has rows; a comment on top says what a document needs."""
    head = "% made by hwprof report. In the preamble: \\usepackage{booktabs,longtable,array}\n"
    summary = "".join(f"% {' '.join(line.split())}\n" for line in report.summary)
    return head + summary + "\n".join(_table(t, i) for i, t in enumerate(report.tables) if t.rows)


def _table(table: Table, number: int) -> str:
    widths = [max(len(row[i]) for row in table.rows) for i in range(len(table.header))]
    columns = "".join("p{5cm}" if width > FREE else "l" for width in widths)
    header = " & ".join(escape(name) for name in table.header) + r" \\"
    lines = [
        r"{\footnotesize",
        rf"\begin{{longtable}}{{{columns}}}",
        rf"\caption{{{escape(table.title)}}}\label{{tab:hwprof-{number + 1}}}\\",
        r"\toprule", header, r"\midrule", r"\endfirsthead", r"\toprule", header, r"\midrule", r"\endhead",
        r"\bottomrule", r"\endlastfoot",
        *(_row(row) for row in table.rows),
        r"\end{longtable}",
    ]  # fmt: skip
    if table.note:
        lines.append(rf"\noindent {escape(table.note)}\par")
    return "\n".join([*lines, "}", ""])


def _row(row: tuple[str, ...]) -> str:
    # a bracket behind \\ would be taken for its argument
    return " & ".join("{}" + escape(cell) if cell.startswith("[") else escape(cell) for cell in row) + r" \\"
