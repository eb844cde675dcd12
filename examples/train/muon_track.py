"""A muon trigger: three stations of 50 channels, hit or not, small convolutions along each station, dense 28-14-8-1.

The shape is that of the network of Sun et al., "Fast muon tracking with machine learning implemented in FPGA" (2022): it decides
in every bunch crossing whether the hits are a muon of high momentum. The data are synthetic: tracks through a magnetic field leave
hits in three stations, some are missed, others are noise; stiff tracks (label 1) are nearly straight, soft ones bend, and some
events are noise only. Weights are pruned to half while training. Everything is narrow, for a fully unrolled design.
"""

import nn
import numpy as np
from export import Graph, write

STATIONS, CHANNELS = 3, 50
FILTERS, KERNEL, STRIDE = 2, 5, 3
POSITIONS = (CHANNELS - KERNEL) // STRIDE + 1
SIZES = [STATIONS * FILTERS * POSITIONS, 28, 14, 8, 1]
HIT = {"scale": 1.0, "bits": 1, "signed": False}
WEIGHT = {"scale": 2.0**-2, "bits": 4}
BIAS = {"scale": 2.0**-3, "bits": 6}
ACTIVATION = {"scale": 2.0**-2, "bits": 4, "signed": False}
SCORE = {"scale": 2.0**-4, "bits": 8}
KEPT = 0.5


def events(seed, n):
    """Hits [n, stations, 1, channels] and labels: 1 for a muon of high momentum."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.5).astype(np.int64)
    empty = (labels == 0) & (rng.random(n) < 0.2)
    place, slope = rng.uniform(8, 42, n), rng.uniform(-4, 4, n)
    bend = np.where(labels == 1, rng.uniform(-0.6, 0.6, n), rng.choice([-1, 1], n) * rng.uniform(1.5, 5, n))
    hits = rng.random((n, STATIONS, CHANNELS)) < 0.01
    for station in range(STATIONS):
        at = place + slope * (station - 1) + bend * (station - 1) ** 2 + rng.normal(0, 0.15, n)
        wide = rng.random(n) < 0.25
        for width in (0, 1):
            channel = np.rint(at).astype(int) + width
            seen = ~empty & (rng.random(n) < 0.97) & (channel >= 0) & (channel < CHANNELS) & (wide | (width == 0))
            hits[np.flatnonzero(seen), station, channel[seen]] = True
    return hits[:, :, None].astype(np.float32), labels


def convolve(x, w):
    """Filters along each station: [n, stations, channels] with [stations * filters, kernel]."""
    view = np.lib.stride_tricks.sliding_window_view(x.data, KERNEL, axis=2)[:, :, ::STRIDE]
    bank = w.data.reshape(STATIONS, FILTERS, KERNEL)
    y = np.einsum("nspk,sfk->nsfp", view, bank).reshape(len(x.data), STATIONS * FILTERS, POSITIONS)

    def hand_on(g):
        split = g.reshape(len(g), STATIONS, FILTERS, POSITIONS)
        w.add_grad(np.einsum("nspk,nsfp->sfk", view, split).reshape(w.data.shape))

    return nn.Tensor(y, (w,), hand_on)


def kept(w):
    """The larger half of the weights."""
    return np.abs(w.data) >= np.quantile(np.abs(w.data), 1 - KEPT)


def build(seed=7, train_count=30_000, test_count=10_000, shown=500):
    """Trains, writes the example's folder, and returns the figures that its README states."""
    rng = np.random.default_rng(seed)
    train_x, train_y = events(301, train_count)
    test_x, test_y = events(302, test_count)
    filters, shift = nn.he(rng, STATIONS * FILTERS, 1, KERNEL), nn.Tensor(np.zeros((1, STATIONS * FILTERS, 1)))
    filters = nn.Tensor(filters.data.reshape(STATIONS * FILTERS, KERNEL))
    weights = [nn.he(rng, a, b) for a, b in zip(SIZES, SIZES[1:])]
    biases = [nn.Tensor(np.zeros(b)) for b in SIZES[1:]]
    masks = [np.ones_like(w.data) for w in weights]

    def score(x, quantized=True):
        quant = nn.fake_quant if quantized else (lambda t, **_: t)
        x = nn.Tensor(x.data.reshape(len(x.data), STATIONS, CHANNELS))
        x = quant(nn.relu(nn.add(convolve(x, quant(filters, **WEIGHT)), quant(shift, **BIAS))), **ACTIVATION)
        x = nn.reshape(x, (len(x.data), -1))
        for i, (w, b, mask) in enumerate(zip(weights, biases, masks)):
            pruned = nn.elementwise(w, w.data * mask, mask)
            x = nn.add(nn.matmul(x, quant(pruned, **WEIGHT)), quant(b, **BIAS))
            x = quant(nn.relu(x), **ACTIVATION) if i < 3 else quant(x, **SCORE)
        return x

    def right(x, y, quantized):
        return float(((score(nn.Tensor(x), quantized).data[:, 0] > 0) == (y == 1)).mean())

    figures = {"test events": test_count}
    target = (2 * train_y - 1).astype(np.float32)[:, None]
    for quantized, epochs, rate in ((False, 12, 3e-3), (True, 24, 1.5e-3)):
        nn.train(
            lambda x, t: nn.mean_squared_error(score(x, quantized), t),  # noqa: B023
            [filters, shift, *weights, *biases], train_x, target, epochs=epochs, batch=200, rate=rate, rng=rng,
        )  # fmt: skip
        figures["accuracy, quantized" if quantized else "accuracy, float"] = right(test_x, test_y, quantized)
        if not quantized:
            masks = [kept(w).astype(np.float32) for w in weights[:2]] + masks[2:]

    graph = Graph("muon_track", "hits", [STATIONS, 1, CHANNELS])
    x = graph.quant("hits", "hits_quant", **HIT)

    def stored(value, name, quant):
        """What Quant makes of a value, so that no stored weight lies on a tie."""
        steps = nn.fake_quant(nn.Tensor(value), **quant).data
        return graph.quant(graph.constant(name, steps), name + "_quant", **quant)

    kernel = stored(filters.data.reshape(STATIONS * FILTERS, 1, 1, KERNEL), "conv_weight", WEIGHT)
    bias = stored(shift.data.reshape(1, -1, 1, 1), "conv_bias", BIAS)
    x = graph.op("Conv", [x, kernel], "conv", kernel_shape=[1, KERNEL], strides=[1, STRIDE], group=STATIONS)
    x = graph.op("Relu", [graph.op("Add", [x, bias], "conv_add")], "conv_relu")
    x = graph.op("Flatten", [graph.quant(x, "conv_relu_quant", **ACTIVATION)], "flatten", axis=1)
    for i, (w, b, mask) in enumerate(zip(weights, biases, masks), 1):
        name = f"fc{i}"
        product = graph.op("MatMul", [x, stored(w.data * mask, name + "_weight", WEIGHT)], name)
        x = graph.op("Add", [product, stored(b.data, name + "_bias", BIAS)], name + "_add")
        if i < 4:
            x = graph.quant(graph.op("Relu", [x], f"relu{i}"), f"relu{i}_quant", **ACTIVATION)
    model = graph.finish(graph.quant(x, "score_quant", **SCORE), "score", [1])
    outputs = write("muon_track", model, test_x[:shown], test_y[:shown])
    figures["accuracy, stored events"] = float(((outputs[:, 0] > 0) == (test_y[:shown] == 1)).mean())
    figures["weights that are not zero"] = sum(int((nn.fake_quant(w, **WEIGHT).data * m != 0).sum()) for w, m in zip(weights, masks))
    return figures
