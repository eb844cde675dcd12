"""A convolutional network for the digits, 4-bit weights and activations: conv, pool, conv, pool, dense, NCHW.

Weights have one scale for each output channel, and activations scales that were learned from their ranges: neither is a
power of two, so the accumulators meet thresholds or multiply-shifts rather than plain shifts.
"""

import digits
import nn
import numpy as np
from export import Graph, accuracy, write

CHANNELS = [1, 8, 12]
BITS = 4
INPUT = {"scale": 1 / 16, "bits": 5, "signed": False}
LOGIT = {"scale": 0.125, "bits": 9}


def build(seed=2, shown=300):
    """Trains, writes the example's folder, and returns the figures that its README states."""
    rng = np.random.default_rng(seed)
    train_x, train_y, test_x, test_y = digits.load()
    w1, w2 = nn.he(rng, CHANNELS[1], CHANNELS[0], 3, 3), nn.he(rng, CHANNELS[2], CHANNELS[1], 3, 3)
    w3, b3 = nn.he(rng, CHANNELS[2] * 4, 10), nn.Tensor(np.zeros(10))
    b1, b2 = (nn.Tensor(np.zeros((1, c, 1, 1))) for c in CHANNELS[1:])
    steps = {}

    def weight_step(w, axes):
        """Symmetric range of each output channel."""
        return (np.abs(w.data).max(axis=axes, keepdims=True) / (2 ** (BITS - 1) - 1)).astype(np.float32)

    def forward(x, mode):
        """`mode`: float, measure (float, and take the activation steps from what occurs), quantized."""

        def weight(w, axes):
            return nn.fake_quant(w, weight_step(w, axes), BITS, narrow=True) if mode == "quantized" else w

        def activation(x, name):
            x = nn.relu(x)
            if mode == "measure":
                steps[name] = np.float32(np.quantile(x.data, 0.998) / (2**BITS - 1))
            return nn.fake_quant(x, steps[name], BITS, signed=False) if mode == "quantized" else x

        x = nn.fake_quant(x, **INPUT)
        x = activation(nn.add(nn.conv2d(x, weight(w1, (1, 2, 3)), pad=1), b1), "relu1")
        x = nn.max_pool(x, 2)
        x = activation(nn.add(nn.conv2d(x, weight(w2, (1, 2, 3)), pad=1), b2), "relu2")
        x = nn.max_pool(x, 2)
        x = nn.reshape(x, (len(x.data), -1))
        x = nn.add(nn.matmul(x, weight(w3, (0,))), b3)
        return nn.fake_quant(x, **LOGIT) if mode == "quantized" else x

    parameters = [w1, b1, w2, b2, w3, b3]
    figures = {"test samples": len(test_y)}
    for mode, epochs, rate in (("float", 60, 4e-3), ("quantized", 60, 1e-3)):
        nn.train(
            lambda x, t: nn.cross_entropy(forward(x, mode), t),  # noqa: B023
            parameters, train_x, train_y, epochs=epochs, batch=64, rate=rate, rng=rng,
        )  # fmt: skip
        figures[f"accuracy, {mode}"] = accuracy(forward(nn.Tensor(test_x), mode).data, test_y)
        if mode == "float":
            forward(nn.Tensor(train_x[:2000]), "measure")

    graph = Graph("digits_cnn", "image", [1, 8, 8])

    def stored(w, axes, name):
        """A constant with its Quant. Training leaves weights within float32's rounding of a tie between two steps, where tools
        need not agree: what is stored are the steps themselves."""
        step = weight_step(w, axes)
        on_steps = nn.fake_quant(w, step, BITS, narrow=True).data
        return graph.quant(graph.constant(name, on_steps), name + "_quant", step, BITS, narrow=True)

    x = graph.quant("image", "input_quant", **INPUT)
    for i, (w, b) in enumerate(((w1, b1), (w2, b2)), 1):
        kernel = stored(w, (1, 2, 3), f"conv{i}_weight")
        bias = graph.constant(f"conv{i}_bias", b.data.reshape(-1))
        x = graph.op("Conv", [x, kernel, bias], f"conv{i}", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        x = graph.quant(graph.op("Relu", [x], f"relu{i}"), f"relu{i}_quant", steps[f"relu{i}"], BITS, signed=False)
        x = graph.op("MaxPool", [x], f"pool{i}", kernel_shape=[2, 2], strides=[2, 2])
    x = graph.op("Flatten", [x], "flatten", axis=1)
    product = graph.op("MatMul", [x, stored(w3, (0,), "dense_weight")], "dense")
    x = graph.op("Add", [product, graph.constant("dense_bias", b3.data)], "dense_add")
    model = graph.finish(graph.quant(x, "logits_quant", **LOGIT), "logits", [10])
    outputs = write("digits_cnn", model, test_x[:shown], test_y[:shown])
    figures["accuracy, stored samples"] = accuracy(outputs, test_y[:shown])
    return figures
