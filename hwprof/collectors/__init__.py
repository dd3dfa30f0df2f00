"""Who counts: collectors in the measured process, gauges sampled from outside, and simulators.

For others: `protocol` (`Collector`, `Gauge`, `Wrapper`, `Watcher`: public), `gauge.Sensors` (public), `perf`, `cpu`,
`guard.GuardedSession` (third-party collectors), `watcher.GaugeWatcher`, `simulators`, `riscv`, and `vocabulary.Name`
(names of metrics that results are asked for).
"""
