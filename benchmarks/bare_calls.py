"""The bare calls that benchmarks/adapter_calls.py lays beside the adapters': on the model as the adapter loaded it, for
the images, a call and what it is given in turn. They reach for the adapters' own attributes on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Bare = tuple[Callable[[Any], Any], list[Any]]  # the call, and what it is given in turn
KEPT: list[Any] = []


def ort_binding(model: Any, images: Sequence[Any]) -> Bare:
    """Inputs and outputs bound."""
    session, ring = model._session, []
    for image in images:
        binding = session.io_binding()
        binding.bind_cpu_input(session.get_inputs()[0].name, image)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        ring.append(binding)
    return session.run_with_iobinding, ring


def ort_numpy(model: Any, images: Sequence[Any]) -> Bare:
    """As most programs call it."""
    session = model._session
    name = session.get_inputs()[0].name
    return (lambda feed: session.run(None, feed)), [{name: image} for image in images]


def ort_values(model: Any, images: Sequence[Any]) -> Bare:
    """What hwprof called before its adapters had revisions."""
    from onnxruntime import OrtValue

    session = model._session
    name, outputs = session.get_inputs()[0].name, [o.name for o in session.get_outputs()]
    return (lambda feed: session.run_with_ort_values(outputs, feed)), [
        {name: OrtValue.ortvalue_from_numpy(image)} for image in images
    ]


def opencv(model: Any, images: Sequence[Any]) -> Bare:
    """The input is copied in each time; there is no other way to give a net another one."""
    give, forward = model._net.setInput, model._net.forward

    def call(image: Any) -> Any:
        give(image)
        return forward()

    return call, list(images)


def opencv_named(model: Any, images: Sequence[Any]) -> Bare:
    """The same, the output by its name."""
    give, forward = model._net.setInput, model._net.forward
    name = model._net.getUnconnectedOutLayersNames()[0]

    def call(image: Any) -> Any:
        give(image)
        return forward(name)

    return call, list(images)


def openvino_requests(model: Any, images: Sequence[Any]) -> Bare:
    """A request for each input, bound once; outputs are shared, not copied."""
    import openvino

    ring = []
    for image in images:
        request = model._compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(image, shared_memory=True))
        ring.append(request)
    return (lambda request: request.infer(share_outputs=True)), ring


def openvino_shared(model: Any, images: Sequence[Any]) -> Bare:
    """One request, inputs and outputs shared."""
    import openvino

    infer = model._compiled.create_infer_request().infer
    ring = [openvino.Tensor(image, shared_memory=True) for image in images]
    return (lambda tensor: infer(tensor, share_inputs=True, share_outputs=True)), ring


def openvino_set(model: Any, images: Sequence[Any]) -> Bare:
    """One request, the input set, outputs shared."""
    import openvino

    request = model._compiled.create_infer_request()
    give, infer = request.set_input_tensor, request.infer

    def call(tensor: Any) -> Any:
        give(tensor)
        return infer(share_outputs=True)

    return call, [openvino.Tensor(image, shared_memory=True) for image in images]


def openvino_copied(model: Any, images: Sequence[Any]) -> Bare:
    """One request, the input set, outputs copied, as `infer` does unless it is told otherwise."""
    import openvino

    request = model._compiled.create_infer_request()
    give, infer = request.set_input_tensor, request.infer

    def call(tensor: Any) -> Any:
        give(tensor)
        return infer()

    return call, [openvino.Tensor(image, shared_memory=True) for image in images]


def openvino_requests_async(model: Any, images: Sequence[Any]) -> Bare:
    """A request for each input, bound once, started and waited for."""

    def call(request: Any) -> None:
        request.start_async()
        request.wait()

    return call, openvino_requests(model, images)[1]


def openvino_async(model: Any, images: Sequence[Any]) -> Bare:
    """One request, started and waited for: no dictionary of outputs is made."""
    import openvino

    request = model._compiled.create_infer_request()
    give, start, wait = request.set_input_tensor, request.start_async, request.wait

    def call(tensor: Any) -> None:
        give(tensor)
        start()
        wait()

    return call, [openvino.Tensor(image, shared_memory=True) for image in images]


def ncnn_names(model: Any, images: Sequence[Any]) -> Bare:
    """An extractor each time, as the library wants; blobs by name."""
    net, first, last = model._net, model._input, model._outputs[0]

    def call(mat: Any) -> Any:
        extractor = net.create_extractor()
        extractor.input(first, mat)
        return extractor.extract(last)

    return call, [model.bind(image) for image in images]


def ncnn_numbers(model: Any, images: Sequence[Any]) -> Bare:
    """Blobs by number."""
    net, first, last = model._net, model._net.input_indexes()[0], model._net.output_indexes()[0]

    def call(mat: Any) -> Any:
        extractor = net.create_extractor()
        extractor.input(first, mat)
        return extractor.extract(last)

    return call, [model.bind(image) for image in images]


def mnn(model: Any, images: Sequence[Any]) -> Bare:
    """The session's input is copied into; it can't be bound."""
    copy, run, session = model._input.copyFrom, model._interpreter.runSession, model._session

    def call(bound: Any) -> None:
        copy(bound[0])
        run(session)

    return call, [model.bind(image) for image in images]


def litert_set(model: Any, images: Sequence[Any]) -> Bare:
    """Copied in by `set_tensor`."""
    give, invoke, index = model._interpreter.set_tensor, model._interpreter.invoke, model._input

    def call(image: Any) -> None:
        give(index, image)
        invoke()

    return call, [model.bind(image) for image in images]


def litert_view(model: Any, images: Sequence[Any]) -> Bare:
    """Copied into a view of the input; no view may live while the interpreter runs."""
    place, invoke = model._interpreter.tensor(model._input), model._interpreter.invoke

    def call(image: Any) -> None:
        place()[...] = image
        invoke()

    return call, [model.bind(image) for image in images]


def torch_each(model: Any, images: Sequence[Any]) -> Bare:
    """Inference mode entered and left in every call, as most programs do."""
    import torch

    module = model._module

    def call(tensor: Any) -> Any:
        with torch.inference_mode():
            return module(tensor)

    return call, [model.bind(image) for image in images]


def torch_once(model: Any, images: Sequence[Any]) -> Bare:
    """Inference mode entered once, outside."""
    import torch

    mode = torch.inference_mode()
    mode.__enter__()
    KEPT.append(mode)  # it ends with the object
    return model._module, [model.bind(image) for image in images]


def tvm_function(model: Any, images: Sequence[Any]) -> Bare:
    """The function of the virtual machine."""
    return model.machine["main"], [model.bind(image) for image in images]


def tvm_stateful(model: Any, images: Sequence[Any]) -> Bare:
    """Input set, function invoked."""
    machine = model.machine

    def call(tensor: Any) -> None:
        machine.set_input("main", tensor)
        machine.invoke_stateful("main")

    return call, [model.bind(image) for image in images]


def tensorflow(model: Any, images: Sequence[Any]) -> Bare:
    """The concrete function."""
    return model._function, [model.bind(image) for image in images]


def executorch(model: Any, images: Sequence[Any]) -> Bare:
    """The method."""
    return model._method.execute, [model.bind(image) for image in images]


def mxnet(model: Any, images: Sequence[Any]) -> Bare:
    """Copied into the executor's own array, one pass, waited for."""
    executor, place = model._executor, model._place

    def call(array: Any) -> None:
        array.copyto(place)
        executor.forward(is_train=False)[0].wait_to_read()

    return call, [model.bind(image) for image in images]


def mxnet_given(model: Any, images: Sequence[Any]) -> Bare:
    """The input given to `forward`."""
    executor = model._executor
    name = next(name for name, array in executor.arg_dict.items() if array is model._place)

    def call(array: Any) -> None:
        executor.forward(is_train=False, **{name: array})[0].wait_to_read()

    return call, [model.bind(image) for image in images]


CALLS: dict[str, dict[str, Callable[[Any, Sequence[Any]], Bare]]] = {
    "onnxruntime": {
        "run_with_iobinding": ort_binding,
        "run(None, arrays)": ort_numpy,
        "run_with_ort_values": ort_values,
    },
    "opencv": {"setInput, forward()": opencv, "setInput, forward(name)": opencv_named},
    "opencv5": {"setInput, forward()": opencv, "setInput, forward(name)": opencv_named},
    "caffe": {"setInput, forward()": opencv, "setInput, forward(name)": opencv_named},
    "openvino": {
        "a request per input, infer(share_outputs)": openvino_requests,
        "a request per input, start_async, wait": openvino_requests_async,
        "infer(tensor, share_inputs, share_outputs)": openvino_shared,
        "set_input_tensor, infer(share_outputs)": openvino_set,
        "set_input_tensor, infer()": openvino_copied,
        "set_input_tensor, start_async, wait": openvino_async,
    },
    "ncnn": {"extractor, blobs by name": ncnn_names, "extractor, blobs by number": ncnn_numbers},
    "mnn": {"copyFrom, runSession": mnn},
    "litert": {"set_tensor, invoke": litert_set, "tensor()[...] = , invoke": litert_view},
    "pytorch": {"inference_mode, module(tensor)": torch_each, "module(tensor) in one inference mode": torch_once},
    "tvm": {"vm[main](tensor)": tvm_function, "set_input, invoke_stateful": tvm_stateful},
    "tensorflow": {"concrete function": tensorflow},
    "executorch": {"Method.execute": executorch},
    "mxnet": {"copyto, forward, wait_to_read": mxnet, "forward(name=array), wait_to_read": mxnet_given},
}
