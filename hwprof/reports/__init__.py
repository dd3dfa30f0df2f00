"""Renderers of records, analyses and results: text, JSON, Markdown, LaTeX, HTML and figures. They compute nothing.

Imported by others (cli alone): `terminal.NAME` (the text and JSON of a command), `page.roofline`, `formats.text`,
`formats.write`, `formats.export`, `figures.choose`, `figures.drawing`, `figures.flamegraph`, `html.gather`,
`html.hardware`, and `background` (processes for a large report).
"""
