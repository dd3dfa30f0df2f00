"""List the built-in networks: input shape, multiply-accumulates per frame (MACs) and parameters.

MACs are those of convolutions and matrix products at the network's own input size, batch 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hwprof networks`."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def main(args: argparse.Namespace) -> int:
    """Print the table."""
    from hwprof import networks
    from hwprof.networks import preprocess

    infos = [networks.info(name) for name in networks.names()]
    if args.json:
        rows = [{**dataclasses.asdict(i), "preprocess": dataclasses.asdict(preprocess.of(i.name))} for i in infos]
        print(json.dumps(rows, indent=2))
        return 0
    width = max(len(info.name) for info in infos)
    print(f"{'network':<{width}}  {'input':<12} {'MACs':>9} {'params':>9}  source")
    for info in infos:
        side = f"1x3x{info.size}x{info.size}"
        macs, params = f"{info.macs / 1e6:,.1f} M", f"{info.params / 1e6:.2f} M"
        print(f"{info.name:<{width}}  {side:<12} {macs:>9} {params:>9}  {info.source}")
    print("\nAny .onnx file with one image-like float input works too: hwprof run -n ./mine.onnx")
    return 0
