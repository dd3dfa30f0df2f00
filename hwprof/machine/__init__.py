"""What this machine is: facts read from /proc and /sys below a root, so that recorded machines serve the tests.

For others: `facts` (hardware, host state, software, machine id and label), `cpus` (lists of CPUs, the default cores),
`limits` (cgroup, affinity, seccomp), `virtual` (virtual machine, container, emulator), `files` (`ROOT` and readers of
small files), `clock.clock_ns`, `compiler.find` (the host's C compiler), `features.cpu_features`.
"""
