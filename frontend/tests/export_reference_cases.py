#!/usr/bin/env python3
"""Writes models with reference results for the test `onnx_cases.rs`: random graphs and single operators of many operator set
versions, computed by ONNX Runtime, and QONNX operators computed by qonnx.

Usage: export_reference_cases.py FOLDER [COUNT], with onnx, onnxruntime, qonnx and numpy installed. Everything follows from
fixed seeds. Folders are NAME.batch: the first axis of all inputs and outputs is the batch (symbolic, 1, or 3).
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
BATCH = 3


class Graph:
    """A graph that grows by operators; shapes come from running it."""

    def __init__(self, rng, opset, shape, batch):
        self.rng, self.opset, self.batch = rng, opset, batch
        self.nodes, self.constants, self.count = [], [], 0
        self.x = rng.standard_normal((BATCH, *shape)).astype(np.float32)
        self.domains = [("", opset)]
        self.value, self.array = "x", self.x

    def const(self, array, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), name))
        return name

    def weights(self, *shape):
        return self.const(self.rng.standard_normal(shape) / max(1, np.prod(shape[1:]) ** 0.5))

    def model(self, out, batch=None):
        batch = self.batch if batch is None else batch
        info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *self.x.shape[1:]])
        result = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [info], [result], self.constants)
        ids = [helper.make_opsetid(d, v) for d, v in self.domains]
        return helper.make_model(graph, opset_imports=ids, ir_version=8)

    def run(self, out):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(self.model(out, "N").SerializeToString(), options)
        return session.run(None, {"x": self.x})[0]

    def add(self, op, inputs=None, constants=(), outputs=1, **attributes):
        """Appends an operator if the reference accepts it; the value becomes its first output."""
        names = [f"t{self.count + i}" for i in range(outputs)]
        inputs = [self.value] if inputs is None else inputs
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(op, [*inputs, *constants], names, name=f"{op}_{self.count}", domain=domain, **attributes))
        try:
            array = self.run(names[0])
        except Exception:
            self.nodes.pop()
            return None
        if array.shape[:1] != (BATCH,) or array.dtype != np.float32 or array.size == 0 or not np.isfinite(array).all():
            self.nodes.pop()
            return None
        self.count += outputs
        self.value, self.array = names[0], array
        return names

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        batch = self.batch
        # With a batch of one in the file, the reference still runs whole batches, sample by sample.
        onnx.save(self.model(self.value, batch), os.path.join(folder, "model.onnx"))
        np.save(os.path.join(folder, "input_0.npy"), self.x)
        np.save(os.path.join(folder, "output_0.npy"), self.array)


def attribute_or_input(g, since, op, name, values, **more):
    """An operator whose parameter is an attribute before opset `since` and an input from then on."""
    if g.opset < since:
        return g.add(op, **{name: values}, **more)
    return g.add(op, constants=[g.const(values, np.int64)], **more)


def step(g):
    """Appends one random operator."""
    rng, shape = g.rng, g.array.shape
    rank = len(shape)
    pick = lambda *options: options[rng.integers(len(options))]
    inner = int(rng.integers(1, rank)) if rank > 1 else 0
    kind = rng.integers(22)
    if kind == 0 and rank in (3, 4):
        spatial = rank - 2
        kernel = [int(k) for k in rng.integers(1, 4, spatial)]
        groups = pick(1, 1, shape[1])
        outputs = groups * int(rng.integers(1, 4))
        pads = [int(p) for p in rng.integers(0, 3, 2 * spatial)]
        auto = pick({"pads": pads}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"auto_pad": "VALID"}, {})
        dilations = {} if "auto_pad" in auto else {"dilations": [int(d) for d in rng.integers(1, 3, spatial)]}
        bias = [g.const(rng.standard_normal(outputs))] if rng.integers(2) else []
        g.add("Conv", constants=[g.weights(outputs, shape[1] // groups, *kernel), *bias], group=groups, kernel_shape=kernel,
              strides=[int(s) for s in rng.integers(1, 3, spatial)], **auto, **dilations)
    elif kind == 1 and rank in (3, 4):
        spatial = rank - 2
        kernel = [int(k) for k in rng.integers(1, 4, spatial)]
        op = pick("MaxPool", "AveragePool")
        pads = [int(rng.integers(0, k)) for k in kernel] * 2
        more = pick({"pads": pads}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {})
        if g.opset >= 10 and rng.integers(2) and "auto_pad" not in more:
            more["ceil_mode"] = 1
        if op == "AveragePool":
            more["count_include_pad"] = int(rng.integers(2))
        elif g.opset >= 10 and "auto_pad" not in more:
            more["dilations"] = [int(d) for d in rng.integers(1, 3, spatial)]
        g.add(op, kernel_shape=kernel, strides=[int(s) for s in rng.integers(1, 3, spatial)], **more)
    elif kind == 2 and rank >= 2:
        g.add("BatchNormalization", constants=[
            g.const(rng.uniform(0.5, 2, shape[1])), g.const(rng.standard_normal(shape[1])),
            g.const(rng.standard_normal(shape[1])), g.const(rng.uniform(0.1, 2, shape[1]))], epsilon=1e-3)
    elif kind == 3:
        g.add(pick("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Abs", "Neg", "HardSigmoid", "Identity", "Elu", "Selu"))
    elif kind == 4:
        if g.opset < 11:
            g.add("Clip", min=-0.5, max=0.75)
        else:
            g.add("Clip", constants=[g.const(-0.5), g.const(0.75)])
    elif kind == 5:
        dims = [1 if rng.integers(2) else d for d in shape[1:]]
        dims = dims[int(rng.integers(0, len(dims) + 1)):]
        c = g.const(rng.uniform(0.5, 2, dims))
        op = pick("Add", "Sub", "Mul", "Div", "Max", "Min") if g.opset >= 8 else pick("Add", "Sub", "Mul", "Div")
        if rng.integers(2) and op != "Div":
            g.add(op, inputs=[c, g.value])
        else:
            g.add(op, constants=[c])
    elif kind == 6 and rank > 2:
        g.add("Transpose", perm=[0, *(int(p) for p in 1 + rng.permutation(rank - 1))])
    elif kind == 7:
        total = int(np.prod(shape[1:]))
        divisors = [d for d in range(1, total + 1) if total % d == 0]
        d = divisors[rng.integers(len(divisors))]
        e = [x for x in divisors if (total // d) % x == 0]
        e = e[rng.integers(len(e))]
        g.add("Reshape", constants=[g.const(pick([-1, d, total // d], [0, d, -1], [-1, total], [0, d, e, total // d // e]), np.int64)])
    elif kind == 8:
        g.add("Flatten", axis=1)
    elif kind == 9 and rank > 1:
        g.add("MatMul", constants=[g.weights(shape[-1], int(rng.integers(1, 6)))])
    elif kind == 10 and rank > 2:
        w = g.weights(int(rng.integers(1, 6)), shape[-2])
        g.add("MatMul", inputs=[w, g.value])
    elif kind == 11 and rank == 2:
        n = int(rng.integers(1, 8))
        trans = int(rng.integers(2))
        w = g.weights(n, shape[1]) if trans else g.weights(shape[1], n)
        c = pick([], [g.const(rng.standard_normal(n))], [g.const(rng.standard_normal((1, n)))], [g.const(0.25)])
        if c or g.opset >= 11:
            g.add("Gemm", constants=[w, *c], transB=trans, alpha=pick(1.0, 0.5), beta=pick(1.0, 0.25))
    elif kind == 12 and rank > 1:
        g.add(pick("Softmax", "LogSoftmax"), axis=pick(inner, -1))
    elif kind == 13 and rank > 2:
        other = g.value
        if g.add(pick("Relu", "Tanh")):
            g.add(pick("Add", "Mul", "Sub"), inputs=[other, g.value])
    elif kind == 14 and rank > 1:
        other = g.value
        if g.add(pick("Relu", "Sigmoid")):
            g.add("Concat", inputs=[g.value, other, g.value], axis=inner)
    elif kind == 15 and rank > 1 and shape[inner] > 1:
        start, end = sorted(int(v) for v in rng.choice(shape[inner] + 1, 2, replace=False))
        steps = int(rng.integers(1, 3))
        if g.opset < 10:
            g.add("Slice", starts=[start], ends=[end], axes=[inner])
        else:
            g.add("Slice", constants=[g.const(v, np.int64) for v in ([start], [end - shape[inner] - 0 if end < shape[inner] else 9999], [inner], [steps])])
    elif kind == 16 and rank > 1:
        pads = [0, *(int(p) for p in rng.integers(0, 3, rank - 1)), 0, *(int(p) for p in rng.integers(-1, 3, rank - 1))]
        if g.opset < 11:
            g.add("Pad", pads=pads, value=0.5)
        else:
            g.add("Pad", constants=[g.const(pads, np.int64), g.const(0.5)])
    elif kind == 17 and rank > 1:
        axes = sorted(int(a) for a in 1 + rng.choice(rank - 1, int(rng.integers(1, rank)), replace=False))
        op, keep = pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), int(rng.integers(2))
        attribute_or_input(g, 13 if op == "ReduceSum" else 18, op, "axes", axes, keepdims=keep)
    elif kind == 18 and rank in (3, 4):
        g.add(pick("GlobalAveragePool", "GlobalMaxPool"))
    elif kind == 19 and rank in (3, 4) and np.prod(shape) < 500:
        scales = [1.0, 1.0, *(float(s) for s in rng.integers(1, 4, rank - 2))]
        if g.opset < 9:
            g.add("Upsample", scales=scales, mode="nearest")
        elif g.opset == 9:
            g.add("Upsample", constants=[g.const(scales)], mode="nearest")
        elif g.opset == 10:
            g.add("Resize", constants=[g.const(scales)], mode="nearest")
        else:
            mode = pick(("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
            g.add("Resize", constants=[g.const([]), g.const(scales)], mode="nearest",
                  coordinate_transformation_mode=mode[0], nearest_mode=mode[1])
    elif kind == 20:
        slope = [shape[1]] + [1] * (rank - 2) if rank > 1 and rng.integers(2) else [1]
        g.add("PRelu", constants=[g.const(rng.uniform(-0.5, 0.5, slope))])
    elif kind == 21 and rank > 1 and shape[inner] > 1:
        if rng.integers(2):
            indices = [int(i) for i in rng.integers(-shape[inner], shape[inner], int(rng.integers(1, 5)))]
            g.add("Gather", constants=[g.const(indices, np.int64)], axis=inner)
        else:
            cut = int(rng.integers(1, shape[inner]))
            attribute_or_input(g, 13, "Split", "split", [cut, shape[inner] - cut], axis=inner, outputs=2)


def random_graphs(out, count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        opset = int(rng.integers(7, 21))
        shape = [(int(rng.integers(1, 5)), 6, 5), (int(rng.integers(1, 5)), 9), (12,), (2, 3, 4)][seed % 4]
        g = Graph(rng, opset, shape, ["N", 1, BATCH][seed % 3])
        for _ in range(int(rng.integers(2, 9))):
            step(g)
        if g.nodes and g.array.shape[0] == BATCH:
            g.save(os.path.join(out, f"random.{seed}_opset{opset}.batch"))


def qdq(out):
    """QuantizeLinear and DequantizeLinear around a convolution, with int8 constant weights."""
    for seed in range(24):
        rng = np.random.default_rng(1000 + seed)
        opset = [10, 13, 19, 21][seed % 4]
        g = Graph(rng, opset, (3, 5, 4), ["N", 1][seed % 2])
        kind, zero = [(np.uint8, 117), (np.int8, 0), (np.uint8, 128)][seed % 3]
        xs, xz = g.const(0.031), g.const(zero, kind)
        quantized = g.nodes
        for op in ("QuantizeLinear", "DequantizeLinear"):
            quantized.append(helper.make_node(op, [g.value, xs, xz], [f"{op}_x"], name=op))
            g.value = f"{op}_x"
        per_axis = opset >= 13 and seed % 2
        w = g.const(rng.integers(-127, 128, (4, 3, 3, 3)), np.int8)
        ws = g.const(rng.uniform(0.001, 0.02, 4) if per_axis else 0.0123)
        wz = g.const(np.zeros(4) if per_axis else 0, np.int8)
        axis = {"axis": 0} if per_axis else {}
        quantized.append(helper.make_node("DequantizeLinear", [w, ws, wz], ["w"], name="dq_w", **axis))
        g.add("Conv", constants=["w"], pads=[1, 1, 1, 1])
        g.add("Relu")
        quantized.append(helper.make_node("QuantizeLinear", [g.value, g.const(0.05), g.const(3, np.uint8)], ["y_q"], name="q_y"))
        g.value = "y_q"
        g.add("DequantizeLinear", constants=[g.const(0.05), g.const(3, np.uint8)])
        g.save(os.path.join(out, f"qdq.{seed}_opset{opset}.batch"))


def qonnx_cases(out):
    """Quant in all rounding modes, BipolarQuant, Trunc, and the channels-last operators."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    def run(name, build, shape, domain="qonnx.custom_op.general", version=1, grid=None):
        rng = np.random.default_rng(len(name))
        g = Graph(rng, 13, shape, 1)
        g.domains.append((domain, version))
        g.x = (np.round(g.x * 16) / 16 if grid is None else grid(rng, g.x.shape)).astype(np.float32)
        out_shape = build(g)
        model = g.model("y", 1)
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, *out_shape]))
        wrapper = ModelWrapper(model).transform(InferShapes())
        results = [execute_onnx(wrapper, {"x": g.x[i:i + 1]})["y"] for i in range(BATCH)]
        folder = os.path.join(out, f"qonnx.{name}.batch")
        os.makedirs(folder, exist_ok=True)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        np.save(os.path.join(folder, "input_0.npy"), g.x)
        np.save(os.path.join(folder, "output_0.npy"), np.concatenate(results).astype(np.float32))

    def quant(domain, scale, zero, bits, op="Quant", **attributes):
        def build(g):
            g.nodes.append(helper.make_node(op, ["x", g.const(scale), g.const(zero), g.const(bits)], ["y"], domain=domain, **attributes))
            return g.x.shape[1:]
        return build

    general = "qonnx.custom_op.general"
    for mode in ("ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN", "CEIL", "FLOOR", "UP", "DOWN"):
        for signed in (0, 1):
            for narrow in (0, 1):
                for zero in (0, 1, 3):
                    run(f"quant_{mode}_{signed}{narrow}{zero}", quant(general, 0.125, zero, 4, signed=signed, narrow=narrow, rounding_mode=mode), (40,))
    run("quant_one_bit", quant(general, 0.5, 0, 1, signed=1, narrow=0, rounding_mode="ROUND"), (40,))
    run("quant_one_bit_unsigned", quant(general, 0.5, 0, 1, signed=0, narrow=0, rounding_mode="ROUND"), (40,))
    per_channel = np.array([0.25, 0.5, 0.125]).reshape(1, 3, 1, 1)
    run("quant_channels", quant(general, per_channel, 0, 3, signed=1, narrow=1, rounding_mode="ROUND"), (3, 4, 2))

    def bipolar(g):
        g.nodes.append(helper.make_node("BipolarQuant", ["x", g.const(0.75)], ["y"], domain=general))
        return g.x.shape[1:]
    run("bipolar", bipolar, (40,))

    for mode in ("FLOOR", "ROUND", "CEIL"):
        for zero in (0, 4):
            def trunc(g):
                g.nodes.append(helper.make_node("Trunc", ["x", g.const(0.25), g.const(zero), g.const(8), g.const(5)], ["y"], domain=general, rounding_mode=mode))
                return g.x.shape[1:]
            run(f"trunc_{mode}_{zero}", trunc, (60,), grid=lambda rng, s: (rng.integers(0, 256, s) - zero) * 0.25)

    last = "qonnx.custom_op.channels_last"

    def conv(g):
        g.nodes.append(helper.make_node("Conv", ["x", g.weights(4, 3, 3, 2)], ["y"], domain=last, kernel_shape=[3, 3],
                                        strides=[2, 1], pads=[1, 1, 1, 1], dilations=[1, 1], group=1))
        return (3, 5, 4)
    run("channels_last_conv", conv, (5, 5, 2), domain=last)

    def pool(g):
        g.nodes.append(helper.make_node("MaxPool", ["x"], ["y"], domain=last, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]))
        return (3, 2, 2)
    run("channels_last_pool", pool, (6, 4, 2), domain=last)

    def norm(g):
        c = [g.const(v) for v in (np.array([1.5, 2]), np.array([0.5, -1]), np.array([0.25, 0]), np.array([1.0, 2]))]
        g.nodes.append(helper.make_node("BatchNormalization", ["x", *c], ["y"], domain=last, epsilon=1e-5, momentum=0.9))
        return g.x.shape[1:]
    run("channels_last_norm", norm, (6, 4, 2), domain=last, version=13)


if __name__ == "__main__":
    out = sys.argv[1]
    random_graphs(out, int(sys.argv[2]) if len(sys.argv) > 2 else 400)
    qdq(out)
    qonnx_cases(out)
