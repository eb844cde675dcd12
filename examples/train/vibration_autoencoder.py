"""An autoencoder that finds faults in the vibration of a machine: tanh inside, sigmoid at the end, float.

The data are synthetic: windows of 64 samples of a rotating machine (the shaft's frequency with two harmonics, a gear mesh
tone and noise). Faulty windows add the decaying knocks of a bad bearing, a loose part that clips the wave, or a tone
that does not belong. Only healthy windows are trained on; a window is faulty when its reconstruction is bad.
"""

import nn
import numpy as np
from export import Graph, write

LENGTH = 64
SIZES = [LENGTH, 32, 8, 32, LENGTH]


def windows(seed, healthy, faulty):
    """Windows [n, 64] within 0 to 1, and labels: 1 for a faulty one."""
    rng = np.random.default_rng(seed)
    n = healthy + faulty
    t = np.arange(LENGTH)[None]
    labels = (np.arange(n) >= healthy).astype(np.int64)
    shaft = rng.uniform(0.055, 0.065, (n, 1))
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    x = 0.9 * np.sin(2 * np.pi * shaft * t + phase)
    x += 0.35 * np.sin(4 * np.pi * shaft * t + 2 * phase + 0.5) + 0.2 * np.sin(6 * np.pi * shaft * t + 3 * phase + 1.1)
    x *= rng.uniform(0.8, 1.2, (n, 1))
    x += rng.normal(0, 0.05, (n, LENGTH))
    kind = rng.integers(0, 3, n)
    for i in np.flatnonzero(labels):
        if kind[i] == 0:
            start, gap = rng.integers(0, 16), rng.integers(14, 24)
            for knock in range(start, LENGTH, gap):
                rest = t[0, knock:] - knock
                x[i, knock:] += rng.uniform(0.4, 1.0) * np.exp(-rest / 3) * np.cos(1.9 * rest)
        elif kind[i] == 1:
            x[i] = np.clip(x[i], -0.55, 0.55)
        else:
            x[i] += rng.uniform(0.2, 0.5) * np.sin(2 * np.pi * rng.uniform(0.16, 0.35) * t[0] + rng.uniform(0, 6))
    order = rng.permutation(n)
    return np.clip(0.5 + x / 4, 0, 1)[order].astype(np.float32), labels[order]


def area_under_curve(scores, labels):
    """Share of (faulty, healthy) pairs that the score puts in the right order (ROC AUC)."""
    good, bad = scores[labels == 0], scores[labels == 1]
    return float((bad[:, None] > good[None]).mean() + 0.5 * (bad[:, None] == good[None]).mean())


def build(seed=5, shown=400):
    """Trains, writes the example's folder, and returns the figures that its README states."""
    rng = np.random.default_rng(seed)
    train_x, _ = windows(201, 20_000, 0)
    test_x, test_y = windows(202, 1000, 1000)
    weights = [nn.Tensor(rng.normal(0, np.sqrt(1 / a), (a, b))) for a, b in zip(SIZES, SIZES[1:])]
    biases = [nn.Tensor(np.zeros(b)) for b in SIZES[1:]]

    def rebuilt(x):
        for i, (w, b) in enumerate(zip(weights, biases)):
            x = nn.add(nn.matmul(x, w), b)
            x = nn.sigmoid(x) if i == 3 else nn.tanh(x)
        return x

    nn.train(
        lambda x, t: nn.mean_squared_error(rebuilt(x), t), [*weights, *biases], train_x, train_x,
        epochs=40, batch=100, rate=2e-3, rng=rng,
    )  # fmt: skip

    def score(x, y):
        return ((x - y) ** 2).mean(1)

    graph = Graph("vibration_autoencoder", "window", [LENGTH])
    x = "window"
    for i, (w, b) in enumerate(zip(weights, biases), 1):
        product = graph.op("MatMul", [x, graph.constant(f"fc{i}_weight", w.data)], f"fc{i}")
        x = graph.op("Add", [product, graph.constant(f"fc{i}_bias", b.data)], f"fc{i}_add")
        x = graph.op("Sigmoid" if i == 4 else "Tanh", [x], "sigmoid" if i == 4 else f"tanh{i}")
    model = graph.finish(x, "rebuilt", [LENGTH])
    outputs = write("vibration_autoencoder", model, test_x[:shown], test_y[:shown])
    whole = rebuilt(nn.Tensor(test_x)).data
    return {
        "test windows": len(test_y),
        "mean squared error, healthy": float(score(test_x, whole)[test_y == 0].mean()),
        "ROC AUC": area_under_curve(score(test_x, whole), test_y),
        "ROC AUC, stored windows": area_under_curve(score(test_x[:shown], outputs), test_y[:shown]),
    }
