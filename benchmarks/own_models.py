"""Networks that others exported, in frameworks as they come: faithful or refused, and hwprof's call beside their own.

    python benchmarks/own_models.py [--models DIR] [--seconds S] [--only WORD] [FRAMEWORK ...]

Without --models the packages that ship the networks are downloaded (their wheels only: nothing is installed). Each is
prepared like any user's file. Pairs of 40 ms slices alternate in a seeded random order, in one process and on one
loaded network: the worker's own loop, and a loop over the framework's own API as its documentation has it, which gives
all inputs by name and asks for all outputs. Printed: the error beside the reference or the reason of the refusal, and
the ratio hwprof / loop of CPU time per inference as a change in percent, with the interval of paired.py and the loop
against itself (A/A). Aim: within 5 %. The exit code is 1 where an interval lies above it, or outputs are unfaithful.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

AIM = 5.0  # percent
FRAMES = 8
FRAMEWORKS = ("onnxruntime", "opencv", "openvino", "ncnn")
PACKAGES = ("rapidocr-onnxruntime", "captcha-whisperer", "basic-pitch", "silero-vad", "onnx")
# Part of a file's path -> what its open dimensions are.
MODELS: dict[str, dict[str, Sequence[str]]] = {
    "ch_PP-OCRv4_det_infer.onnx": {"shapes": ["1,3,320,480"]},
    "ch_PP-OCRv4_rec_infer.onnx": {"shapes": ["1,3,48,320"]},
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": {"shapes": ["1,3,48,192"]},
    "captcha_crnn.onnx": {},
    "icassp_2022/nmp.onnx": {},
    "data/silero_vad.onnx": {"shapes": ["input=1,512", "state=2,1,128"]},
    "silero_vad_16k_op15.onnx": {"dims": ["sequence=576"]},
    "silero_vad_half.onnx": {"dims": ["sequence=576"]},
    "silero_vad_openvino_16k.onnx": {},
    "light_squeezenet.onnx": {},
    "light_densenet121.onnx": {},
    "light_inception_v1.onnx": {},
    "light_resnet50.onnx": {},
    "light_shufflenet.onnx": {},
    "light_vgg19.onnx": {},
}


# ---- in the framework's own interpreter


def onnxruntime_call(model: Any, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    """session.run with a dict."""
    session = model._session
    outputs = [output.name for output in session.get_outputs()]
    return lambda arrays: session.run(outputs, dict(zip(names, arrays, strict=True)))


def opencv_call(model: Any, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    """setInput for each name, forward of all outputs."""
    net = model._net
    outputs = net.getUnconnectedOutLayersNames()

    def call(arrays: Sequence[Any]) -> Any:
        for name, array in zip(names, arrays, strict=True):
            net.setInput(array, name)
        return net.forward(outputs)

    return call


def openvino_call(model: Any, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    """A request's infer with a dict, sharing memory both ways."""
    request = model._compiled.create_infer_request()

    def call(arrays: Sequence[Any]) -> Any:
        return request.infer(dict(zip(names, arrays, strict=True)), share_inputs=True, share_outputs=True)

    return call


def ncnn_call(model: Any, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    """An extractor for each inference; matrices are made outside, as hwprof does."""
    net, inputs = model._net, [f"in{number}" for number in range(len(names))]
    outputs = [f"out{number}" for number in range(len(net.output_names()))]

    def call(mats: Sequence[Any]) -> Any:
        extractor = net.create_extractor()
        for name, mat in zip(inputs, mats, strict=True):
            extractor.input(name, mat)
        return [extractor.extract(name) for name in outputs]

    return call


CALLS = {"onnxruntime": onnxruntime_call, "opencv": opencv_call, "openvino": openvino_call, "ncnn": ncnn_call}


def cpu_per_inference(call: Callable[[Any], Any], inputs: Sequence[Any], seconds: float) -> float:
    """Seconds of CPU of all threads per inference."""
    count, before, start = 0, time.process_time(), time.perf_counter()
    while not count or time.perf_counter() - start < seconds:
        call(inputs[count % len(inputs)])
        count += 1
    return (time.process_time() - before) / count


def child(package: str) -> None:
    """Reads a job from stdin, prints CPU seconds per inference of every slice of every arm, and the fidelity."""
    sys.path.append(str(Path(__file__).parent))  # last: what lies beside this file shadows nothing
    from adapter_calls import expose, nobody

    expose("hwprof", Path(package) / "__init__.py")
    from hwprof.records import from_json, to_json
    from hwprof.worker.common import Stage, batches, compare, load_model
    from hwprof.worker.loop import no_garbage_collection
    from hwprof.worker.protocol import SLICE_S, Job

    asked = json.load(sys.stdin)
    job = from_json(Job, asked["job"])
    os.sched_setaffinity(0, job.cpus or os.sched_getaffinity(0))
    with ExitStack() as closing:
        model, ring, _ = closing.enter_context(load_model(job, Stage(nobody()), FRAMES))
        fidelity = compare(job, model, ring)
        names = [one.name for one in job.spec.inputs]
        theirs, frames = CALLS[job.case.framework](model, names), batches(job, FRAMES)
        if job.case.framework == "ncnn":
            bound = [model.bind(*frame) for frame in frames]
            frames = [[mat for _, mat in one] if isinstance(one, list) else [one] for one in bound]
        arms: dict[str, Callable[[], float]] = {
            "hwprof": lambda: cpu_per_inference(model.infer, ring, SLICE_S),
            "loop": lambda: cpu_per_inference(theirs, frames, SLICE_S),
            "again": lambda: cpu_per_inference(theirs, frames, SLICE_S),
        }
        found: dict[str, list[float]] = {name: [] for name in arms}
        rng, end = random.Random(job.seed), time.monotonic() + asked["seconds"]
        with no_garbage_collection():
            for arm in arms.values():
                arm()
            while time.monotonic() < end or len(found["loop"]) < 10:
                for name in rng.sample(list(arms), len(arms)):
                    found[name].append(arms[name]())
    print(json.dumps({"arms": found, "fidelity": to_json(fidelity)}), file=sys.__stdout__, flush=True)
    os._exit(0)


# ---- in ours


def download(folder: Path) -> None:
    """The wheels of all packages, unpacked."""
    pip = [sys.executable, "-P", "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder / "wheels")]
    for package in PACKAGES:
        subprocess.run([*pip, package], check=True)
    for wheel in (folder / "wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder / wheel.name.split("-")[0])


def row(found: dict[str, Any]) -> tuple[str, bool]:
    """Fidelity and the change of CPU time, and whether both are as they should be."""
    from paired import change

    from hwprof.records import Fidelity, from_json
    from hwprof.records.agreement import agreement_text

    arms = found["arms"]
    ours, again = (change([a / b for a, b in zip(arms[n], arms["loop"], strict=True)]) for n in ("hwprof", "again"))
    fidelity = None if found["fidelity"] is None else from_json(Fidelity, found["fidelity"])
    outside = ours.low > AIM
    word = "OUTSIDE" if outside else "not shown to be within" if ours.high > AIM else "within"
    word = "cheaper by more than" if ours.high < -AIM else word
    outputs = "not compared" if fidelity is None else agreement_text(fidelity)
    unfaithful = fidelity is not None and fidelity.faithful is False
    return f"{ours}   A/A {again}   {word} {AIM:g} %   outputs: {outputs}", not outside and not unfaithful


def main() -> int:
    """Every network in every framework that is here."""
    from adapter_calls import ask
    from paired import load

    from hwprof.errors import HwprofError
    from hwprof.plan.inputs import parse_inputs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", nargs="*", help=f"default: {', '.join(FRAMEWORKS)}")
    parser.add_argument("--models", type=Path, metavar="DIR", help="unpacked packages (default: downloaded)")
    parser.add_argument("--seconds", type=float, default=8.0, metavar="S", help="for each network in each framework")
    parser.add_argument("--only", default="", metavar="WORD", help="networks whose path has it")
    args = parser.parse_args()
    args.size, kept = 0, True
    with tempfile.TemporaryDirectory(prefix="hwprof-own-models-") as scratch:
        folder = args.models or Path(scratch)
        if args.models is None:
            download(folder)
        files = sorted(folder.rglob("*.onnx"))
        print(f"batch 1, 1 thread, {load()}")
        for name, said in MODELS.items():
            path = next((file for file in files if str(file).endswith(name)), None)
            if path is None or args.only not in str(path):
                continue
            for framework in args.framework or FRAMEWORKS:
                args.network, args.inputs = str(path), parse_inputs(said.get("shapes", ()), said.get("dims", ()))
                try:
                    text, good = row(ask(framework, args, Path(__file__), {"seconds": args.seconds}))
                except HwprofError as error:
                    text, good = f"refused: {error}", True
                kept &= good
                print(f"{path.stem:<32}{framework:<12}{text}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    sys.exit(main())
