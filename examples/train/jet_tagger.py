"""The jet tagger: 16 features, dense layers of 64, 32 and 32, five classes, softmax; 6-bit weights and activations.

The layer sizes are those of the jet-tagging networks of Duarte et al. (arXiv:1804.06913), trained quantization-aware
here on the synthetic jets of `jets.py`. All scales are powers of two, so every tensor is an ordinary `ap_fixed`.
"""

import jets
import nn
import numpy as np
from export import Graph, accuracy, write

SIZES = [16, 64, 32, 32, 5]
INPUT = {"scale": 2.0**-4, "bits": 8}
WEIGHT = {"scale": 2.0**-5, "bits": 6}
BIAS = {"scale": 2.0**-5, "bits": 8}
ACTIVATION = {"scale": 2.0**-4, "bits": 6, "signed": False}
LOGIT = {"scale": 2.0**-3, "bits": 8}


def build(seed=1, train_count=50_000, test_count=10_000, shown=500):
    """Trains, writes the example's folder, and returns the figures that its README states."""
    rng = np.random.default_rng(seed)
    train_x, train_y = jets.make(101, train_count)
    test_x, test_y = jets.make(102, test_count)
    mean, std = train_x.mean(0), train_x.std(0)
    train_x, test_x = ((v - mean) / std for v in (train_x, test_x))
    weights = [nn.he(rng, a, b) for a, b in zip(SIZES, SIZES[1:])]
    biases = [nn.Tensor(np.zeros(b)) for b in SIZES[1:]]

    def logits(x, quantized=True):
        quant = nn.fake_quant if quantized else (lambda t, **_: t)
        x = quant(x, **INPUT)
        for i, (w, b) in enumerate(zip(weights, biases)):
            x = nn.add(nn.matmul(x, quant(w, **WEIGHT)), quant(b, **BIAS))
            x = quant(nn.relu(x), **ACTIVATION) if i < 3 else quant(x, **LOGIT)
        return x

    for quantized, epochs, rate in ((False, 20, 3e-3), (True, 40, 1e-3)):
        nn.train(
            lambda x, t: nn.cross_entropy(logits(x, quantized), t),  # noqa: B023
            [*weights, *biases], train_x.astype(np.float32), train_y,
            epochs=epochs, batch=500, rate=rate, rng=rng,
        )  # fmt: skip
        if not quantized:
            float_accuracy = accuracy(logits(nn.Tensor(test_x), False).data, test_y)

    graph = Graph("jet_tagger", "features", [SIZES[0]])
    x = graph.quant("features", "input_quant", **INPUT)
    for i, (w, b) in enumerate(zip(weights, biases)):
        name = f"fc{i + 1}" if i < 3 else "output"
        w = graph.quant(graph.constant(name + "_weight", w.data), name + "_weight_quant", **WEIGHT)
        b = graph.quant(graph.constant(name + "_bias", b.data), name + "_bias_quant", **BIAS)
        x = graph.op("Add", [graph.op("MatMul", [x, w], name), b], name + "_add")
        if i < 3:
            x = graph.quant(graph.op("Relu", [x], f"relu{i + 1}"), f"relu{i + 1}_quant", **ACTIVATION)
        else:
            x = graph.quant(x, "logits_quant", **LOGIT)
    model = graph.finish(graph.op("Softmax", [x], "softmax", axis=1), "probabilities", [SIZES[-1]])
    outputs = write("jet_tagger", model, test_x[:shown], test_y[:shown])
    whole = logits(nn.Tensor(test_x)).data
    return {
        "test samples": test_count,
        "accuracy, float": float_accuracy,
        "accuracy, quantized": accuracy(whole, test_y),
        "accuracy, stored samples": accuracy(outputs, test_y[:shown]),
    }
