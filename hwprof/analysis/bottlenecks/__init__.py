"""What limits a case: one rule per possible bottleneck, each with a verdict and how sure it is.

For others: `diagnosis.diagnose` and `diagnosis.frequent`; `verdicts` (the records); `certainty` (the words
for how sure they are).
"""
