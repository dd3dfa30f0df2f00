"""Top-1 and top-5 over labelled images, for `hwprof accuracy`.

For others: `dataset.read` gives a LabelledImages, `measure.measure` an AccuracyResult.
"""
