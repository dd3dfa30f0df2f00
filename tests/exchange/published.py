"""Pages and workbooks in the forms that DLI publishes; machines, networks and figures are invented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ONE = "CPU: Invented One, CPU family: x86_64, GPU: Undefined, RAM size: 4194304 kB, OS family: Linux"
TWO = ONE.replace("One", "Two")


def table(*rows: str) -> str:
    return f"<table>{''.join(rows)}</table>"


def row(*cells: str, tag: str = "td") -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def column(values: Sequence[str]) -> str:
    """A cell with a table of one value a row, as csv2html writes its lists."""
    return table(*(row(table(row(value))) for value in values))


def lists(values: Sequence[Sequence[str]]) -> str:
    return table(*(row(table(*(row(one) for one in several))) for several in values))


def modes(*names: str) -> str:
    return "".join(row(*names, tag="th"))


def speed_head(machine: str) -> str:
    """CPU in two precisions and two modes, a GPU in one of each."""
    both = table(row("FP32", tag="th"), modes("Latency Mode", "Throughput Mode"))
    cpu = table(row("CPU", tag="th"), row(table(row(both, both.replace("FP32", "INT8")))))
    gpu = table(row("GPU", tag="th"), row(table(row("FP16", tag="th"), row("Latency<br>Mode", tag="th"))))
    return table(row(machine, tag="th"), row(table(row("OpenVINO DLDT", tag="th"), row(table(row(cpu, gpu))))))


def speeds(path: Path, figures: Sequence[str]) -> Path:
    """Two networks of two batches and one on one machine: 5 figures for each batch."""
    names = ("Task type", "Topology name", "Framework", "Input blob sizes", "Batch size")
    head = row(*names, speed_head(ONE), tag="th")
    body = row(
        "classification",
        column(("resnet-50-pytorch", "mine")),
        column(("PyTorch", "Caffe")),
        column(("1x3x224x224", "1x3x48x320")),
        lists((("1", "8"), ("1",))),
        table(*(row(table(row(figure))) for figure in figures)),
    )
    path.write_text(f"<style>td {{}}</style>{table(head, body)}", encoding="utf-8")
    return path


def accuracies(path: Path, figures: Sequence[str]) -> Path:
    """Two networks of two kinds of accuracy; one framework on a CPU in two precisions."""
    names = ("Task type", "Topology name", "Framework", "Dataset", "Accuracy type")
    own = table(row("CPU", tag="th"), row(table(row("FP32", "INT8", tag="th"))))
    head = row(*names, table(row("OpenVINO DLDT", tag="th"), row(own)), tag="th")
    body = row(
        "classification",
        column(("resnet-50-pytorch", "mine")),
        column(("PyTorch", "Caffe")),
        column(("ImageNet", "ImageNet")),
        lists((("accuracy@top1", "accuracy@top5"),) * 2),
        table(*(row(table(row(figure))) for figure in figures)),
    )
    path.write_text(table(head, body), encoding="utf-8")
    return path
