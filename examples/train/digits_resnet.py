"""A small residual network for the digits with depthwise-separable convolutions and batch normalization, float, NCHW.

stem conv 3x3 -> block (depthwise 3x3, pointwise 1x1, both normalized, added to its input) -> the same with stride 2 and a
1x1 convolution on the shortcut -> global average pooling -> dense. Made for `--calibrate`: there are no Quant nodes.
"""

import digits
import nn
import numpy as np
from export import Graph, accuracy, write

CHANNELS = 12
WIDE = 20


class ConvNorm:
    """A convolution without bias, and its batch normalization."""

    def __init__(self, rng, name, inputs, outputs, kernel, stride=1, groups=1):
        self.name, self.stride, self.groups, self.pad = name, stride, groups, kernel // 2
        self.weight = nn.he(rng, outputs, inputs // groups, kernel, kernel)
        self.norm = nn.BatchNorm(outputs)

    def parameters(self):
        return [self.weight, self.norm.gain, self.norm.shift]

    def __call__(self, x, training):
        return self.norm(nn.conv2d(x, self.weight, self.stride, self.pad, self.groups), training)

    def export(self, graph, x):
        kernel, name, norm = self.weight.data.shape[2], self.name, self.norm
        x = graph.op(
            "Conv", [x, graph.constant(name + "_weight", self.weight.data)], name,
            kernel_shape=[kernel] * 2, pads=[self.pad] * 4, strides=[self.stride] * 2, group=self.groups,
        )  # fmt: skip
        values = (("gain", norm.gain.data), ("shift", norm.shift.data), ("mean", norm.mean), ("var", norm.var))
        constants = [graph.constant(f"{name}_{key}", value) for key, value in values]
        return graph.op("BatchNormalization", [x, *constants], name + "_norm", epsilon=norm.EPSILON)


def build(seed=4, shown=300):
    """Trains, writes the example's folder, and returns the figures that its README states."""
    rng = np.random.default_rng(seed)
    train_x, train_y, test_x, test_y = digits.load()
    stem = ConvNorm(rng, "stem", 1, CHANNELS, 3)
    depth1 = ConvNorm(rng, "depthwise1", CHANNELS, CHANNELS, 3, groups=CHANNELS)
    point1 = ConvNorm(rng, "pointwise1", CHANNELS, CHANNELS, 1)
    depth2 = ConvNorm(rng, "depthwise2", CHANNELS, CHANNELS, 3, stride=2, groups=CHANNELS)
    point2 = ConvNorm(rng, "pointwise2", CHANNELS, WIDE, 1)
    short2 = ConvNorm(rng, "shortcut2", CHANNELS, WIDE, 1, stride=2)
    dense, bias = nn.he(rng, WIDE, 10), nn.Tensor(np.zeros(10))

    def logits(x, training):
        x = nn.relu(stem(x, training))
        x = nn.relu(nn.add(point1(nn.relu(depth1(x, training)), training), x))
        x = nn.relu(nn.add(point2(nn.relu(depth2(x, training)), training), short2(x, training)))
        return nn.add(nn.matmul(nn.global_average(x), dense), bias)

    layers = [stem, depth1, point1, depth2, point2, short2]
    nn.train(
        lambda x, t: nn.cross_entropy(logits(x, True), t),
        [*(p for layer in layers for p in layer.parameters()), dense, bias],
        train_x, train_y, epochs=60, batch=64, rate=4e-3, rng=rng,
    )  # fmt: skip

    graph = Graph("digits_resnet", "image", [1, 8, 8])
    x = graph.op("Relu", [stem.export(graph, "image")], "stem_relu")
    y = point1.export(graph, graph.op("Relu", [depth1.export(graph, x)], "depthwise1_relu"))
    x = graph.op("Relu", [graph.op("Add", [y, x], "add1")], "relu1")
    y = point2.export(graph, graph.op("Relu", [depth2.export(graph, x)], "depthwise2_relu"))
    x = graph.op("Relu", [graph.op("Add", [y, short2.export(graph, x)], "add2")], "relu2")
    x = graph.op("Flatten", [graph.op("GlobalAveragePool", [x], "global_pool")], "flatten", axis=1)
    x = graph.op("Gemm", [x, graph.constant("dense_weight", dense.data), graph.constant("dense_bias", bias.data)], "dense")
    model = graph.finish(x, "logits", [10])
    outputs = write("digits_resnet", model, test_x[:shown], test_y[:shown])
    return {
        "test samples": len(test_y),
        "accuracy, float": accuracy(logits(nn.Tensor(test_x), False).data, test_y),
        "accuracy, stored samples": accuracy(outputs, test_y[:shown]),
    }
