"""The frameworks that run networks: one folder for each, and beside them what all share.

The rest of hwprof gets an adapter from `plugins.adapter(NAME)` and imports from no framework's folder. Its doors are
`protocol` (what an adapter is), `conversions`, `switches`, `debian` and `profiles.lookup` (what adapters declare),
`precision`, `calibration`, `fidelity`, `named_outputs`, `outputs_file` and `reference` (how outputs are compared), and
`environments` (`hwprof env`). Adapters share `builtin`, `walk` (ONNX graphs, node by node) and the helpers in
`profiles`.
"""
