"""Formats for files and other programs: plain text and Markdown (`text`), LaTeX (`latex`), CSV, Parquet and JSON
(`export`), and the files of `hwprof report` (`write`).

Imported by others: `text.terminal`, `text.markdown`, `text.mask`, `export.export`, `write.begin`, `write.write`.
"""
