"""A small reverse-mode automatic differentiation over NumPy arrays: just what the example networks need.

Tensors are float32, images are NCHW. Quantizers follow QONNX `Quant` (zero point 0, rounding half to even) in the
forward pass; in the backward pass they are straight-through estimators (Bengio et al., arXiv:1308.3432): the gradient
passes where the value was in range and is zero where it was clipped.
"""

import numpy as np


class Tensor:
    """A value, its gradient, and how to hand the gradient on to what the value was computed from."""

    def __init__(self, data, parents=(), backward=None):
        self.data = np.asarray(data, np.float32)
        self.parents = parents
        self.hand_on = backward
        self.grad = None

    def add_grad(self, grad):
        self.grad = grad if self.grad is None else self.grad + grad

    def backward(self):
        """Gradients of this scalar with respect to everything it was computed from."""
        order, seen = [], set()

        def visit(tensor):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                for parent in tensor.parents:
                    visit(parent)
                order.append(tensor)

        visit(self)
        self.grad = np.ones_like(self.data)
        for tensor in reversed(order):
            if tensor.hand_on is not None:
                tensor.hand_on(tensor.grad)


def unbroadcast(grad, shape):
    """Sums a gradient over the axes along which a value of `shape` was repeated."""
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


def add(a, b):
    """Element-wise sum with broadcasting."""

    def hand_on(g):
        a.add_grad(unbroadcast(g, a.data.shape))
        b.add_grad(unbroadcast(g, b.data.shape))

    return Tensor(a.data + b.data, (a, b), hand_on)


def matmul(a, b):
    """Matrix product of [n, k] and [k, m]."""

    def hand_on(g):
        a.add_grad(g @ b.data.T)
        b.add_grad(a.data.T @ g)

    return Tensor(a.data @ b.data, (a, b), hand_on)


def elementwise(a, value, slope):
    """A function of each element, given its values and its slopes."""
    return Tensor(value, (a,), lambda g: a.add_grad(g * slope))


def relu(a):
    """max(a, 0)."""
    return elementwise(a, np.maximum(a.data, 0), a.data > 0)


def sigmoid(a):
    """1 / (1 + exp(-a))."""
    y = 1 / (1 + np.exp(-a.data))
    return elementwise(a, y, y * (1 - y))


def tanh(a):
    """Hyperbolic tangent."""
    y = np.tanh(a.data)
    return elementwise(a, y, 1 - y * y)


def fake_quant(a, scale, bits, signed=True, narrow=False):
    """QONNX `Quant` with zero point 0. `scale` broadcasts against `a`; ranges as the QONNX operator defines them."""
    low = -(2 ** (bits - 1)) + int(narrow) if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - int(narrow)
    steps = a.data / scale
    inside = (steps >= low) & (steps <= high)
    return elementwise(a, np.clip(np.rint(steps), low, high) * scale, inside)


def reshape(a, shape):
    """The same elements in another shape."""
    return Tensor(a.data.reshape(shape), (a,), lambda g: a.add_grad(g.reshape(a.data.shape)))


def windows(x, kernel, stride):
    """Read-only view [n, c, out_h, out_w, kernel, kernel] of the windows of an NCHW array."""
    view = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))
    return view[:, :, ::stride, ::stride]


def conv2d(a, w, stride=1, pad=0, groups=1):
    """Convolution of NCHW `a` with `w` [out, in / groups, k, k]; square kernels, strides and pads."""
    n, c, height, width = a.data.shape
    out, per_group, kernel, _ = w.data.shape
    padded = np.pad(a.data, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    view = windows(padded, kernel, stride)
    rows, cols = view.shape[2:4]
    split = view.reshape(n, groups, per_group, rows, cols, kernel, kernel)
    filters = w.data.reshape(groups, out // groups, per_group, kernel, kernel)
    y = np.einsum("ngcxykl,gockl->ngoxy", split, filters, optimize=True).reshape(n, out, rows, cols)

    def hand_on(g):
        grads = g.reshape(n, groups, out // groups, rows, cols)
        w.add_grad(np.einsum("ngcxykl,ngoxy->gockl", split, grads, optimize=True).reshape(w.data.shape))
        da = np.zeros_like(padded)
        for k in range(kernel):
            for l in range(kernel):
                part = np.einsum("ngoxy,goc->ngcxy", grads, filters[:, :, :, k, l], optimize=True)
                da[:, :, k : k + rows * stride : stride, l : l + cols * stride : stride] += part.reshape(n, c, rows, cols)
        a.add_grad(da[:, :, pad : pad + height, pad : pad + width])

    return Tensor(y, (a, w), hand_on)


def max_pool(a, size):
    """Maximum over disjoint size x size windows; the sides must be multiples of `size`."""
    n, c, height, width = a.data.shape
    tiles = a.data.reshape(n, c, height // size, size, width // size, size)
    y = tiles.max(axis=(3, 5), keepdims=True)
    won = tiles == y
    won = won / won.sum(axis=(3, 5), keepdims=True)

    def hand_on(g):
        a.add_grad((won * g[:, :, :, None, :, None]).reshape(a.data.shape).astype(np.float32))

    return Tensor(y[:, :, :, 0, :, 0], (a,), hand_on)


def global_average(a):
    """Mean over height and width: [n, c, h, w] to [n, c]."""
    area = a.data.shape[2] * a.data.shape[3]

    def hand_on(g):
        a.add_grad(np.broadcast_to(g[:, :, None, None] / area, a.data.shape).astype(np.float32))

    return Tensor(a.data.mean(axis=(2, 3)), (a,), hand_on)


class BatchNorm:
    """Batch normalization of the channel axis of NCHW (Ioffe and Szegedy, arXiv:1502.03167) with running statistics."""

    EPSILON = 1e-5
    MOMENTUM = 0.9

    def __init__(self, channels):
        self.gain, self.shift = Tensor(np.ones(channels)), Tensor(np.zeros(channels))
        self.mean, self.var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def __call__(self, a, training):
        axes, lift = (0, 2, 3), (None, slice(None), None, None)
        if training:
            mean, var = a.data.mean(axis=axes), a.data.var(axis=axes)
            self.mean = self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean
            self.var = self.MOMENTUM * self.var + (1 - self.MOMENTUM) * var
        else:
            mean, var = self.mean, self.var
        scale = 1 / np.sqrt(var + self.EPSILON)
        x = (a.data - mean[lift]) * scale[lift]

        def hand_on(g):
            self.gain.add_grad((g * x).sum(axis=axes))
            self.shift.add_grad(g.sum(axis=axes))
            dx = g * self.gain.data[lift]
            dx = dx - dx.mean(axis=axes, keepdims=True) - x * (dx * x).mean(axis=axes, keepdims=True)
            a.add_grad((dx * scale[lift]).astype(np.float32))

        return Tensor(x * self.gain.data[lift] + self.shift.data[lift], (a, self.gain, self.shift), hand_on)


def cross_entropy(logits, labels):
    """Mean cross-entropy of softmax(logits) against integer labels."""
    shifted = logits.data - logits.data.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))

    def hand_on(g):
        d = p.copy()
        d[rows, labels] -= 1
        logits.add_grad(g * d / len(labels))

    return Tensor(-np.log(p[rows, labels] + 1e-12).mean(), (logits,), hand_on)


def mean_squared_error(y, target):
    """Mean of the squared differences."""
    difference = y.data - target
    return Tensor((difference**2).mean(), (y,), lambda g: y.add_grad(g * 2 * difference / difference.size))


class Adam:
    """Adam (Kingma and Ba, arXiv:1412.6980) with a cosine learning-rate schedule down to zero."""

    def __init__(self, parameters, rate, steps):
        self.parameters, self.rate, self.steps, self.step_count = parameters, rate, steps, 0
        self.m = [np.zeros_like(p.data) for p in parameters]
        self.v = [np.zeros_like(p.data) for p in parameters]

    def step(self):
        rate = self.rate * 0.5 * (1 + np.cos(np.pi * min(1.0, self.step_count / self.steps)))
        self.step_count += 1
        for i, p in enumerate(self.parameters):
            self.m[i] = 0.9 * self.m[i] + 0.1 * p.grad
            self.v[i] = 0.999 * self.v[i] + 0.001 * p.grad**2
            m = self.m[i] / (1 - 0.9**self.step_count)
            v = self.v[i] / (1 - 0.999**self.step_count)
            p.data = (p.data - rate * m / (np.sqrt(v) + 1e-8)).astype(np.float32)
            p.grad = None


def train(loss, parameters, inputs, targets, *, epochs, batch, rate, rng):
    """Minimizes `loss(x, t)` over shuffled batches."""
    batches = len(inputs) // batch
    optimizer = Adam(parameters, rate, epochs * batches)
    for _ in range(epochs):
        order = rng.permutation(len(inputs))
        for i in range(batches):
            pick = order[i * batch : (i + 1) * batch]
            loss(Tensor(inputs[pick]), targets[pick]).backward()
            optimizer.step()


def he(rng, *shape):
    """Weights with the variance 2 / fan-in; the last axis of a matrix is its outputs, the first of a filter bank its."""
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    return Tensor(rng.normal(0, np.sqrt(2 / fan_in), shape))
