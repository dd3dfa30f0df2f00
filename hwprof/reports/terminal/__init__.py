"""The output of each command on the terminal: `text(...)` and, for --json, `document(...)` in one module per command.

Imported by others: these two functions of each module, and the rows that the report has too (`command`, `tuning`).
"""
