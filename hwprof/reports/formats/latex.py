"""The tables of a report in LaTeX, for papers: booktabs rules, longtable, so that a long one may break over pages."""

from __future__ import annotations

from hwprof.reports.tables import Report, Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "×": r"\ensuremath{\times}", "−": r"\ensuremath{-}", "↔": r"\ensuremath{\leftrightarrow}", "…": r"\ldots{}",
    "°": r"\ensuremath{^\circ}", "µ": r"\ensuremath{\mu}", "²": r"\ensuremath{^2}", "·": r"\ensuremath{\cdot}",
}  # fmt: skip
FREE = 24  # letters that a column gets at most where the table has to be wrapped
LINE = 78  # letters of \\footnotesize on a line of the article class
SIZES = ((r"\footnotesize", 78), (r"\scriptsize", 90), (r"\tiny", 120))


def escape(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def tables(report: Report) -> str:
    """Every table that has rows; the first comment names the packages that a document needs."""
    head = "% made by hwprof report. In the preamble: \\usepackage{booktabs,longtable,array}\n"
    summary = "".join(f"% {' '.join(line.split())}\n" for line in report.summary)
    return head + summary + "\n".join(_table(t, i) for i, t in enumerate(report.tables) if t.rows)


def _table(table: Table, number: int) -> str:
    size, columns = _columns(table)
    header = " & ".join(escape(name) for name in table.header) + r" \\"
    lines = [
        rf"{{{size}\setlength{{\tabcolsep}}{{3pt}}",
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


def _columns(table: Table) -> tuple[str, str]:
    """Size of the type and the columns: as they are where they fit on the line, else each wrapped in its share of it.

    A share is measured by the longest word, which can't be broken, and by no more than FREE letters of the rest.
    """
    cells = [[row[i] for row in (table.header, *table.rows)] for i in range(len(table.header))]
    widths = [max(len(cell) for cell in column) for column in cells]
    if sum(widths) + len(widths) <= LINE:
        return r"\footnotesize", "l" * len(widths)
    words = [max((len(word) for cell in column for word in cell.split()), default=1) for column in cells]
    needed = [max(word, min(width, FREE)) for word, width in zip(words, widths, strict=True)]
    room = 1 - 0.018 * len(widths)  # what the gaps between columns leave of the line
    shares = [room * n / sum(needed) for n in needed]
    size = next((name for name, letters in SIZES if sum(needed) <= letters), SIZES[-1][0])
    return size, "".join(rf">{{\raggedright\arraybackslash}}p{{{share:.3f}\linewidth}}" for share in shares)


def _row(row: tuple[str, ...]) -> str:
    # a bracket behind \\ would be taken for its argument
    return " & ".join("{}" + escape(cell) if cell.startswith("[") else escape(cell) for cell in row) + r" \\"
