"""Builds ONNX and QONNX graphs, and writes an example's folder with the outputs that outside tools compute for it."""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OPSET = 13
QUANT_DOMAIN = "qonnx.custom_op.general"


class Graph:
    """A network under construction; every method returns the name of the tensor it made."""

    def __init__(self, name, input_name, shape):
        self.name, self.nodes, self.constants, self.count = name, [], [], {}
        self.input = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["batch", *shape])
        self.quantized = False

    def constant(self, name, value):
        """An initializer; floats are stored as float32."""
        value = np.asarray(value)
        value = value.astype(np.float32) if value.dtype.kind == "f" else value
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def op(self, kind, inputs, name=None, domain="", **attributes):
        """One node with one output, named after the node."""
        number = self.count[kind] = self.count.get(kind, 0) + 1
        name = name or f"{kind.lower()}_{number}"
        self.nodes.append(helper.make_node(kind, inputs, [name + "_out"], name=name, domain=domain, **attributes))
        return name + "_out"

    def quant(self, tensor, name, scale, bits, signed=True, narrow=False):
        """QONNX `Quant` with zero point 0 and rounding half to even."""
        self.quantized = True
        inputs = [
            tensor,
            self.constant(name + "_scale", np.asarray(scale, np.float32)),
            self.constant(name + "_zero_point", np.float32(0)),
            self.constant(name + "_bits", np.float32(bits)),
        ]
        return self.op(
            "Quant", inputs, name, QUANT_DOMAIN, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND"
        )

    def finish(self, output, name, shape):
        """The checked model with one output."""
        self.nodes[-1].output[0] = name
        assert output == self.nodes[-1].name + "_out", "the output is the last node's"
        result = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        graph = helper.make_graph(self.nodes, self.name, [self.input], [result], self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        if self.quantized:
            opsets.append(helper.make_opsetid(QUANT_DOMAIN, 1))
        model = helper.make_model(graph, opset_imports=opsets, producer_name="netfold-examples", ir_version=8)
        onnx.checker.check_model(model)
        return model


def run(model, inputs):
    """The model's outputs by qonnx (networks with Quant nodes) or ONNX Runtime."""
    name = model.graph.input[0].name
    if any(node.domain == QUANT_DOMAIN for node in model.graph.node):
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        fixed = onnx.ModelProto()
        fixed.CopyFrom(model)
        for value in (*fixed.graph.input, *fixed.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = len(inputs)
        wrapped = ModelWrapper(fixed).transform(InferShapes())
        return execute_onnx(wrapped, {name: inputs})[wrapped.graph.output[0].name].astype(np.float32)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: inputs})[0]


def write(name, model, inputs, labels):
    """Writes examples/NAME/{model.onnx,input.npy,output.npy,labels.npy}; returns the outputs."""
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder, exist_ok=True)
    inputs = np.ascontiguousarray(inputs, np.float32)
    outputs = run(model, inputs)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString(deterministic=True))
    np.save(os.path.join(folder, "input.npy"), inputs)
    np.save(os.path.join(folder, "output.npy"), outputs)
    np.save(os.path.join(folder, "labels.npy"), np.asarray(labels, np.uint8))
    return outputs


def accuracy(outputs, labels):
    """Share of samples whose largest output is their label."""
    return float((np.argmax(outputs, 1) == labels).mean())
