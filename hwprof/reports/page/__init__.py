"""The content of a report in every format: tables and sentences, without layout.

Imported by others: `content` (`Report`, `Table`, `build`), `detail` (correlations in full), `roofline`, `topdown`, and
`words` (numbers, intervals).
"""
