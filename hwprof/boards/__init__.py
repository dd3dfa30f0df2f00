"""Emulated boards: Debian 13 guests in QEMU whose kernels count real perf events; what they count has origin EMULATED.

For others: `image.ensure_image` (builds an image and keeps it in the cache), `guest.run_guest` (boots it and runs one
job as root), `machines` (the two boards, QEMU's command line, host programs), and `image.extract` (packages without a
guest).
"""
