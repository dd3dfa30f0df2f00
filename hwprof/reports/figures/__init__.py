"""Figures as files: SVG and PNG of the page's charts (`choose`, `drawing`), and flame graphs (`flamegraph`).

Imported by others: `choose.Figures`, `choose.processes`, `drawing.write`, `flamegraph.svg`.
"""
