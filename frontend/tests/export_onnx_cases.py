#!/usr/bin/env python3
"""Writes the operator test cases of the `onnx` package for the test `onnx_cases.rs`.

Usage: export_onnx_cases.py FOLDER, with `onnx` and `numpy` installed; then
NETFOLD_ONNX_CASES=FOLDER cargo test -p netfold-frontend --test onnx_cases -- --nocapture

Every case becomes folders NAME.VARIANT with model.onnx, input_I.npy and output_I.npy. Variants:
  data    the case as it is: every input is a network input
  first   only the first input is a network input, all others are constants
  second  only the second input is one (the constant stands on the left)
  const   all inputs are constants; a zero of the output's shape is added, so that the network has an input
Cases with sequences, strings, optional or sparse tensors have no data files: they must be refused.
"""

import os
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16}


def tensor(path):
    """The tensor stored in a .pb file, or None when it holds something else."""
    try:
        proto = onnx.TensorProto()
        with open(path, "rb") as f:
            proto.ParseFromString(f.read())
        if proto.data_type in (0, onnx.TensorProto.STRING):
            return None
        numpy_helper.to_array(proto)
        return proto
    except Exception:
        return None


def data_set(folder):
    """Inputs and outputs of the first data set, or None."""
    read = lambda kind: [
        tensor(os.path.join(folder, f))
        for f in sorted((f for f in os.listdir(folder) if f.startswith(kind)), key=lambda f: int(f.split("_")[1].split(".")[0]))
    ]
    inputs, outputs = read("input_"), read("output_")
    return None if None in inputs + outputs else (inputs, outputs)


def save(folder, model, inputs, outputs):
    """Writes one variant."""
    os.makedirs(folder, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for i, t in enumerate(tensors):
            array = numpy_helper.to_array(t)
            # Types that numpy lacks come as integers under a type of their own.
            array = array.astype(np.dtype(f"{array.dtype.kind}{array.dtype.itemsize}")) if array.dtype.fields else array
            if t.data_type == onnx.TensorProto.BFLOAT16 and t.HasField("raw_data"):
                bits = np.frombuffer(t.raw_data, "<u2").reshape(tuple(t.dims))
                array = (bits.astype(np.uint32) << 16).view(np.float32)
            np.save(os.path.join(folder, f"{kind}_{i}.npy"), np.ascontiguousarray(array).reshape(array.shape))


def with_constants(model, inputs, keep):
    """A copy of the model in which all inputs but those in `keep` are initializers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    names = [i.name for i in graph.input]
    kept = [i for k, i in enumerate(graph.input) if k in keep]
    for k, (name, t) in enumerate(zip(names, inputs)):
        if k not in keep:
            c = onnx.TensorProto()
            c.CopyFrom(t)
            c.name = name
            graph.initializer.append(c)
    kept = [onnx.ValueInfoProto.FromString(i.SerializeToString()) for i in kept]
    del graph.input[:]
    graph.input.extend(kept)
    return copy


def variants(name, model, inputs, outputs, out):
    """Writes all variants of a case."""
    count = len(inputs)
    for declared, found in zip([*model.graph.input, *model.graph.output], [*inputs, *outputs]):
        # Some data sets state the integer type that carries the bits.
        if declared.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16 and found.HasField("raw_data"):
            found.data_type = onnx.TensorProto.BFLOAT16
    if len(model.graph.input) != count:
        return save(os.path.join(out, name + ".data"), model, inputs, outputs)
    save(os.path.join(out, name + ".data"), model, inputs, outputs)
    if count > 1:
        save(os.path.join(out, name + ".first"), with_constants(model, inputs, {0}), inputs[:1], outputs)
        save(os.path.join(out, name + ".second"), with_constants(model, inputs, {1}), inputs[1:2], outputs)
    opset = max([o.version for o in model.opset_import if o.domain in ("", "ai.onnx")] or [0])
    if opset < 7 or outputs[0].data_type not in FLOATS:
        return
    if not (model.graph.output[0].type.tensor_type.HasField("shape") and 0 not in outputs[0].dims):
        return
    const = with_constants(model, inputs, set())
    graph = const.graph
    result = graph.output[0].name
    zero = np.zeros(tuple(outputs[0].dims), helper.tensor_dtype_to_np_dtype(outputs[0].data_type))
    graph.input.append(helper.make_tensor_value_info("the_zero", outputs[0].data_type, zero.shape))
    graph.node.append(helper.make_node("Add", [result, "the_zero"], ["the_sum"], name="the_sum"))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("the_sum", outputs[0].data_type, zero.shape))
    save(os.path.join(out, name + ".const"), const, [numpy_helper.from_array(zero)], outputs[:1])


def main(out):
    root = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    total = 0
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
        for name in sorted(os.listdir(os.path.join(root, kind))):
            folder = os.path.join(root, kind, name)
            model_path = os.path.join(folder, "model.onnx")
            if not os.path.exists(model_path):
                continue
            total += 1
            model = onnx.load(model_path)
            data = os.path.join(folder, "test_data_set_0")
            case = data_set(data) if os.path.isdir(data) else None
            label = f"{kind}.{name}"
            if case is None:
                save(os.path.join(out, label + ".data"), model, [], [])
            else:
                variants(label, model, *case, out)
    print(f"{total} cases")


if __name__ == "__main__":
    main(sys.argv[1])
