"""Makes the networks of testcases/e2e with their references: `make_e2e.py [FOLDER]`, with onnx, onnxruntime, qonnx and numpy.

Every case is a folder with model.onnx, input_K.npy, output_K.npy and case.json: the names of inputs and outputs, and the largest
difference that counts as equal. Float networks are computed by ONNX Runtime; their tolerance is what 16-bit numbers explain.
Quantized networks are computed by qonnx and must be equal; where their values can lie on rounding ties, scales are powers of two, so
that float32 is exact. Everything follows from fixed seeds.
"""

import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
SAMPLES = 16
CASES = []


def case(function):
    """Registers a network: a function of a Graph that returns its inputs' shapes and its outputs."""
    CASES.append(function)
    return function


class Graph:
    """A network under construction."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs, self.outputs = [], [], {}, []
        self.tolerance, self.integer = 0.02, False

    def input(self, name, *shape):
        self.inputs[name] = shape
        return name

    def const(self, array, dtype=np.float32):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def ints(self, *values):
        return self.const(values, np.int64)

    def op(self, kind, *inputs, outputs=1, domain="", **attributes):
        n = len(self.nodes)
        names = [f"{kind.lower()}_{n}_{k}" if k else f"{kind.lower()}_{n}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}_{n}", domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def random(self, *shape):
        return self.rng.standard_normal(shape)

    def dense(self, x, n, m):
        return self.op("Gemm", x, self.const(self.random(n, m) / n**0.5), self.const(self.random(m) * 0.3))

    def conv(self, x, n, m, *kernel, group=1, **more):
        weights = self.random(m, n // group, *kernel) / (n // group * np.prod(kernel)) ** 0.5
        return self.op("Conv", x, self.const(weights), self.const(self.random(m) * 0.2), group=group, kernel_shape=kernel, **more)

    def norm(self, x, n):
        """A batch normalization with factors of both signs."""
        scale = self.rng.uniform(0.5, 1.5, n) * self.rng.choice([-1, 1], n)
        values = (scale, self.random(n) * 0.3, self.random(n) * 0.3, self.rng.uniform(0.3, 2, n))
        return self.op("BatchNormalization", x, *(self.const(v) for v in values), epsilon=1e-5)

    def quant(self, x, scale, bits, signed=1, narrow=0, zero=0.0, mode="ROUND"):
        inputs = (x, self.const(scale), self.const(zero), self.const(float(bits)))
        return self.op("Quant", *inputs, domain=QONNX, signed=signed, narrow=narrow, rounding_mode=mode)

    def bipolar(self, x, scale=1.0):
        return self.op("BipolarQuant", x, self.const(scale), domain=QONNX)

    def weights(self, bits, *shape, scale=None):
        """Quantized weights with a scale for each output channel that is no power of two, unless one is given."""
        w = self.random(*shape) / max(1, np.prod(shape[1:])) ** 0.5
        if scale is None:
            scale = np.abs(w).reshape(shape[0], -1).max(1).reshape(-1, *[1] * (len(shape) - 1)) / (2 ** (bits - 1) - 1)
        return self.quant(self.const(w), scale, bits, narrow=1)

    def model(self, batch):
        kind = TensorProto.INT64 if self.integer else TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, *s]) for n, s in self.inputs.items()]
        outputs = [helper.make_tensor_value_info(n, kind, None) for n in self.outputs]
        graph = helper.make_graph(self.nodes, "network", inputs, outputs, self.constants)
        domains = {n.domain for n in self.nodes} | {""}
        opsets = [helper.make_opsetid(d, 13 if d == "" else 1) for d in sorted(domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def reference(self, data):
        """The model to store and its outputs."""
        if any(n.domain for n in self.nodes):
            from qonnx.core.modelwrapper import ModelWrapper
            from qonnx.core.onnx_exec import execute_onnx
            from qonnx.transformation.infer_shapes import InferShapes

            wrapper = ModelWrapper(self.model(1)).transform(InferShapes())
            runs = [execute_onnx(wrapper, {n: x[i : i + 1] for n, x in data.items()}) for i in range(SAMPLES)]
            return wrapper.model, [np.concatenate([r[o] for r in runs]) for o in self.outputs]
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(self.model("N").SerializeToString(), options)
        return self.model("N"), session.run(self.outputs, data)


@case
def mlp_functions(g):
    """Every activation function in one chain."""
    x = g.input("x", 7)
    for kind, more in [("LeakyRelu", {"alpha": 0.13}), ("Elu", {}), ("Selu", {}), ("Softplus", {}), ("HardSigmoid", {}), ("Sigmoid", {}), ("Tanh", {})]:
        x = g.op(kind, g.dense(x, 7, 7), **more)
    return [g.dense(x, 7, 3)]


@case
def prelu_softmax(g):
    x = g.op("PRelu", g.dense(g.input("x", 7), 7, 5), g.const([0.1, -0.2, 0.3, 1.5, 0]))
    g.tolerance = 0.005
    return [g.op("Softmax", g.dense(x, 5, 3), axis=-1)]


@case
def cnn_relu_pool_norm(g):
    """Normalization behind pool and function, with factors of both signs."""
    x = g.op("Relu", g.norm(g.conv(g.input("x", 3, 8, 7), 3, 4, 3, 3, pads=[1] * 4), 4))
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.norm(g.op("Relu", g.conv(x, 4, 5, 3, 2, strides=[2, 1])), 5)
    return [g.dense(g.op("Flatten", x), 10, 4)]


@case
def norm_before_pools(g):
    """An unquantized input meets a normalization and a maximum first."""
    x = g.norm(g.input("x", 2, 6, 6), 2)
    x = g.norm(g.op("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4), 2)
    return [g.op("AveragePool", g.op("Relu", x), kernel_shape=[2, 2], strides=[2, 2])]


@case
def keras_layout(g):
    x = g.op("Transpose", g.input("x", 6, 5, 3), perm=[0, 3, 1, 2])
    x = g.op("Relu", g.conv(x, 3, 4, 3, 3, pads=[0, 0, 1, 1], strides=[2, 2]))
    x = g.op("Transpose", x, perm=[0, 2, 3, 1])
    x = g.op("Reshape", x, g.ints(-1, 24))
    g.tolerance = 0.005
    return [g.op("Softmax", g.dense(x, 24, 5), axis=-1)]


@case
def one_dimension(g):
    x = g.op("Relu", g.conv(g.input("x", 4, 19), 4, 6, 5, strides=[2], pads=[2, 2], group=2))
    x = g.op("AveragePool", x, kernel_shape=[2], strides=[2])
    x = g.op("Relu", g.conv(x, 6, 8, 2, dilations=[3]))
    return [g.dense(g.op("Flatten", x), 16, 3)]


@case
def depthwise_residual(g):
    x = g.input("x", 4, 6, 6)
    a = g.op("Relu", g.norm(g.conv(x, 4, 4, 3, 3, group=4, pads=[1] * 4), 4))
    b = g.op("Relu", g.op("Add", x, g.conv(a, 4, 4, 1, 1)))
    b = g.conv(b, 4, 8, 3, 3, group=4, strides=[2, 2])
    return [g.dense(g.op("Flatten", g.op("GlobalAveragePool", b)), 8, 3)]


@case
def branches(g):
    parts = g.op("Split", g.input("x", 6, 5, 5), g.ints(3, 2, 1), outputs=3, axis=1)
    a = g.op("Relu", g.conv(parts[0], 3, 2, 3, 3, pads=[1] * 4))
    y = g.op("Concat", a, g.op("Tanh", g.conv(parts[1], 2, 3, 1, 1)), parts[2], axis=1)
    return [g.conv(y, 6, 2, 3, 3)]


@case
def decoder(g):
    x = g.op("Reshape", g.op("Relu", g.dense(g.input("x", 5), 5, 12)), g.ints(-1, 3, 2, 2))
    x = g.op("Resize", x, "", g.const([1, 1, 2, 3]), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return [g.op("Sigmoid", g.conv(x, 3, 2, 3, 3, pads=[1] * 4))]


@case
def raw_upsampling(g):
    """An unquantized input that only moves before its first function."""
    x = g.op("Resize", g.input("x", 2, 3, 3), "", g.const([1, 1, 2, 2]), mode="nearest")
    return [g.op("LeakyRelu", g.op("Concat", x, x, axis=1), alpha=0.1)]


@case
def arg_max(g):
    g.integer = True
    return [g.op("ArgMax", g.dense(g.op("Relu", g.dense(g.input("x", 6), 6, 9)), 9, 5), axis=1, keepdims=0)]


@case
def softmax_of_maps(g):
    g.tolerance = 0.005
    return [g.op("Softmax", g.conv(g.input("x", 3, 4, 3), 3, 4, 1, 1), axis=1)]


@case
def one_pixel(g):
    """Kernels larger than the image."""
    x = g.op("Relu", g.conv(g.input("x", 3, 1, 1), 3, 5, 1, 1))
    return [g.conv(x, 5, 3, 3, 3, pads=[1] * 4), g.conv(x, 5, 2, 5, 3, pads=[2, 1, 2, 1])]


@case
def far_apart(g):
    """Large dilations and strides."""
    x = g.op("Relu", g.conv(g.input("x", 2, 13, 17), 2, 3, 3, 3, dilations=[5, 7]))
    return [g.conv(x, 3, 2, 2, 2, strides=[11, 13])]


@case
def two_inputs(g):
    a, b = g.input("a", 5), g.input("b", 3)
    y = g.op("Relu", g.dense(g.op("Concat", a, b, axis=1), 8, 6))
    return [g.dense(y, 6, 2), g.op("Sigmoid", g.dense(b, 3, 4))]


@case
def constant_branches(g):
    k = g.op("Relu", g.op("Add", g.const([[1, -2, 3, 0.5]]), g.const([[0.5] * 4])))
    y = g.op("Sub", g.const([1.0]), g.op("Mul", g.input("x", 4), k))
    y = g.op("Neg", g.op("Div", y, g.const([4.0])))
    return [g.op("Min", g.op("Max", y, g.const([-0.1])), g.const([0.4]))]


@case
def prime_widths(g):
    x = g.op("Relu", g.dense(g.op("Relu", g.dense(g.input("x", 37), 37, 23)), 23, 13))
    return [g.op("Squeeze", g.dense(x, 13, 1), g.ints(1))]


def quantized_mlp(g, weight_bits, bits):
    g.tolerance = 1e-4
    x, sizes = g.quant(g.input("x", 11), 0.031, 8), (11, 7, 5)
    for n, m in zip(sizes, sizes[1:]):
        x = g.op("MatMul", x, g.op("Transpose", g.weights(weight_bits, m, n), perm=[1, 0]))
        x = g.quant(g.op("Relu", g.norm(x, m)), 0.13 if bits > 1 else 0.5, bits, signed=0)
    return [x]


@case
def quantized_mlp_2_2(g):
    return quantized_mlp(g, 2, 2)


@case
def quantized_mlp_4_1(g):
    return quantized_mlp(g, 4, 1)


@case
def quantized_mlp_6_5(g):
    return quantized_mlp(g, 6, 5)


@case
def bipolar_cnn(g):
    g.tolerance = 1e-4
    x = g.quant(g.input("x", 3, 7, 6), 1 / 32, 8)
    x = g.bipolar(g.norm(g.op("Conv", x, g.bipolar(g.const(g.random(5, 3, 3, 3)), 0.25), kernel_shape=[3, 3]), 5))
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.bipolar(g.norm(g.op("Conv", x, g.bipolar(g.const(g.random(6, 5, 2, 2))), kernel_shape=[2, 2]), 6))
    return [g.op("MatMul", g.op("Flatten", x), g.bipolar(g.const(g.random(6, 4)), 0.5))]


@case
def quantized_norm_pool(g):
    """Falling factors and a function between a convolution and a maximum, the quantizer behind it."""
    g.tolerance = 1e-4
    x = g.quant(g.input("x", 3, 6, 6), 0.05, 6)
    x = g.norm(g.op("Conv", x, g.weights(4, 4, 3, 3, 3), kernel_shape=[3, 3]), 4)
    a = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    b = g.op("GlobalMaxPool", g.op("Relu", x))
    return [g.quant(g.op("Relu", a), 0.1, 4, signed=0), g.quant(b, 0.1, 4, signed=0)]


@case
def quantized_depthwise(g):
    """Scales for each channel, a zero point under padding."""
    g.tolerance = 1e-4
    x = g.quant(g.input("x", 2, 7, 5), 0.11, 4, signed=0, zero=5.0)
    x = g.norm(g.op("Conv", x, g.weights(2, 6, 2, 3, 3), kernel_shape=[3, 3], pads=[1] * 4), 6)
    x = g.quant(g.op("Relu", x), np.reshape([0.4, 0.33, 0.25, 0.5, 0.7, 0.61], (1, 6, 1, 1)), 2, signed=0)
    x = g.op("Conv", x, g.weights(2, 6, 1, 3, 3), kernel_shape=[3, 3], group=6, strides=[2, 2], pads=[1] * 4)
    return [g.op("Flatten", g.op("GlobalAveragePool", g.quant(x, 0.2, 5)))]


@case
def quantized_gate(g):
    g.tolerance = 1e-4
    x = g.quant(g.input("x", 5), 1 / 8, 5)
    layer = lambda: g.op("MatMul", x, g.quant(g.const(g.random(5, 6)), 0.25, 4))
    h = g.quant(g.op("Sigmoid", layer()), 1 / 64, 6, signed=0)
    return [g.quant(g.op("Mul", h, g.quant(g.op("Tanh", layer()), 1 / 31, 6)), 0.03, 6)]


@case
def truncation(g):
    g.tolerance = 1e-6
    x = g.quant(g.input("x", 8), 1 / 16, 8)
    x = g.op("Trunc", x, g.const(1 / 16), g.const(0.0), g.const(8.0), g.const(5.0), domain=QONNX, rounding_mode="FLOOR")
    return [g.op("MatMul", x, g.quant(g.const(g.random(8, 4)), 0.125, 4))]


@case
def only_a_quantizer(g):
    g.tolerance = 1e-6
    return [g.quant(g.input("x", 9), 0.25, 4, mode="CEIL")]


@case
def qdq_cnn(g):
    """QuantizeLinear and DequantizeLinear with zero points and scales for each channel."""
    g.tolerance = 1e-4

    def quantize(x, scale, zero, kind):
        parameters = (g.const(scale), g.const(zero, kind))
        return g.op("DequantizeLinear", g.op("QuantizeLinear", x, *parameters), *parameters)

    def weights(*shape):
        n = shape[0]
        values = (g.const(g.rng.integers(-127, 128, shape), np.int8), g.const(g.rng.uniform(0.002, 0.01, n)), g.const([0] * n, np.int8))
        return g.op("DequantizeLinear", *values, axis=0)

    x = quantize(g.input("x", 3, 6, 5), 0.0313, 117, np.uint8)
    x = quantize(g.op("Relu", g.op("Conv", x, weights(4, 3, 3, 3), kernel_shape=[3, 3], pads=[1] * 4)), 0.0211, 0, np.uint8)
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = quantize(g.op("Conv", x, weights(4, 4, 2, 2), kernel_shape=[2, 2]), 0.0173, -7, np.int8)
    return [quantize(g.op("Gemm", g.op("Flatten", x), weights(5, 8), transB=1), 0.0507, 100, np.uint8)]


@case
def wide_function(g):
    """Steps that are no powers of two behind a wide sum, then a function: its argument needs a format of its own."""
    g.tolerance = 0.0015
    x = g.quant(g.input("x", 8), 0.003, 12)
    w = g.quant(g.const(g.random(8, 6) * 0.5), 0.001, 12)
    return [g.quant(g.op("Tanh", g.op("MatMul", x, w)), 1 / 2047, 12)]


@case
def gates_of_channels_and_pixels(g):
    """A gate for each channel (squeeze and excitation), then one for each pixel."""
    g.tolerance = 0.03
    x = g.op("Relu", g.conv(g.input("x", 3, 5, 4), 3, 6, 3, 3, pads=[1] * 4))
    s = g.op("Relu", g.conv(g.op("GlobalAveragePool", x), 6, 2, 1, 1))
    x = g.op("Mul", x, g.op("Sigmoid", g.conv(s, 2, 6, 1, 1)))
    x = g.op("Mul", x, g.op("Sigmoid", g.conv(x, 6, 1, 1, 1)))
    return [g.dense(g.op("Flatten", x), 6 * 5 * 4, 3)]


def main(root):
    for seed, make in enumerate(CASES):
        g = Graph(seed)
        g.outputs = make(g)
        data = {n: g.random(SAMPLES, *s).astype(np.float32) for n, s in g.inputs.items()}
        model, results = g.reference(data)
        folder = os.path.join(root, make.__name__)
        os.makedirs(folder, exist_ok=True)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        for kind, arrays in (("input", data.values()), ("output", results)):
            for k, array in enumerate(arrays):
                np.save(os.path.join(folder, f"{kind}_{k}.npy"), array.astype(np.float32))
        with open(os.path.join(folder, "case.json"), "w", encoding="utf-8") as f:
            json.dump({"inputs": list(g.inputs), "outputs": g.outputs, "tolerance": g.tolerance}, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))
