"""What is inferred: the built-in networks, users' .onnx and .pt2 files, their inputs, MACs and memory traffic.

For others: `find.resolve` (a `network.Network` from a name or a path), `table` (the built-in ones), `graph` (shapes),
`size` (MACs, parameters, bytes), `inputs` (`InputSpec`), `blocks` (layers as networks of their own), `traffic`,
`images` (seeded inputs), `preprocess` (image files to inputs), `evaluate` (the reference in double precision). onnx and
numpy are imported inside functions: listing networks needs neither.
"""
