"""What slices and the bare stretch of a run show over time. Pure functions on runs.

Modules: `throughput` (frames per second over time), `drift` (trend, a change, warm-up), `growth` (of the resident
set), `inputs` (latency by input sample), `disturbed` (inferences that lost the CPU), `tail` (what the slowest ones
have), `counters` (events per slice), `rates` (of running totals), `comovement` (which counters move with latency from
slice to slice), `findings` (what the lines of a run say of one case).
"""
