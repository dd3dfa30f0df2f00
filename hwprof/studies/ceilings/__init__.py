"""What this machine can do at most: arithmetic, bandwidth and latency, measured by small compiled programs."""
