"""Results of other programs as runs, and runs for other programs.

The rest of hwprof uses `read` of `dli` and of `pyperf` (a file's runs, as `imports.ImportedRuns`), `pyperf.document`
(runs as pyperf's JSON), `dli.FpsMeaning`, and `imports.count_changed_readings`.
"""
