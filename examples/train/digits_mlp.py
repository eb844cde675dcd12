"""A float network for the digits in plain ONNX operators: Flatten, Gemm, Relu, LeakyRelu, Softmax."""

import digits
import nn
import numpy as np
from export import Graph, accuracy, write

SIZES = [64, 32, 24, 10]
SLOPE = 0.1


def build(seed=3, shown=300):
    """Trains, writes the example's folder, and returns the figures that its README states."""
    rng = np.random.default_rng(seed)
    train_x, train_y, test_x, test_y = digits.load()
    weights = [nn.he(rng, a, b) for a, b in zip(SIZES, SIZES[1:])]
    biases = [nn.Tensor(np.zeros(b)) for b in SIZES[1:]]

    def logits(x):
        x = nn.reshape(x, (len(x.data), -1))
        for i, (w, b) in enumerate(zip(weights, biases)):
            x = nn.add(nn.matmul(x, w), b)
            if i == 0:
                x = nn.relu(x)
            elif i == 1:
                x = nn.elementwise(x, np.where(x.data > 0, x.data, SLOPE * x.data), np.where(x.data > 0, 1, SLOPE))
        return x

    nn.train(
        lambda x, t: nn.cross_entropy(logits(x), t), [*weights, *biases], train_x, train_y,
        epochs=100, batch=64, rate=3e-3, rng=rng,
    )  # fmt: skip
    graph = Graph("digits_mlp", "image", [1, 8, 8])
    x = graph.op("Flatten", ["image"], "flatten", axis=1)
    for i, (w, b) in enumerate(zip(weights, biases), 1):
        # Gemm with transB, as PyTorch exports its layers.
        operands = [x, graph.constant(f"fc{i}_weight", w.data.T), graph.constant(f"fc{i}_bias", b.data)]
        x = graph.op("Gemm", operands, f"fc{i}", transB=1)
        if i == 1:
            x = graph.op("Relu", [x], "relu")
        elif i == 2:
            x = graph.op("LeakyRelu", [x], "leaky_relu", alpha=SLOPE)
    model = graph.finish(graph.op("Softmax", [x], "softmax", axis=-1), "probabilities", [10])
    outputs = write("digits_mlp", model, test_x[:shown], test_y[:shown])
    return {
        "test samples": len(test_y),
        "accuracy, float": accuracy(logits(nn.Tensor(test_x)).data, test_y),
        "accuracy, stored samples": accuracy(outputs, test_y[:shown]),
    }
