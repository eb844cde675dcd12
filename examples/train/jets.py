"""Synthetic jets: a toy of what a calorimeter sees of boosted quarks, gluons, W and Z bosons and top quarks.

A jet of 1 TeV starts as one to three partons: a gluon or a light quark alone; a W (80.4 GeV) or Z (91.2 GeV) that decays
to two quarks; a top (172.8 GeV) that decays to a b quark and a W. Decays are isotropic in the rest frame and boosted.
Each parton then splits in an angular-ordered shower whose splittings follow 1/z (momentum fraction) and 1/theta (angle),
gluons with the color factor 3 and quarks with 4/3. Constituents are smeared by 5 % in momentum and 0.015 in position,
and 16 substructure features are computed from them: nothing is taken from any existing data set.
Formulas: energy correlation functions of Larkoski, Salam and Thaler (arXiv:1305.0007), D2 of arXiv:1409.6298,
generalized angularities of arXiv:1408.3122.
"""

import numpy as np

CLASSES = ["gluon", "quark", "W", "Z", "top"]
FEATURES = [
    "multiplicity", "sum z log z", "sqrt(sum z^2)", "largest z", "angularity 0.5", "angularity 1", "angularity 2",
    "ECF2 0.5", "ECF2 1", "ECF2 2", "C2 1", "C2 2", "D2 1", "D2 2", "mass", "groomed mass",
]  # fmt: skip
SLOTS = 48
RADIUS = 0.8
SMALLEST_Z = 1e-3


def two_body(rng, parent, mass, m1, m2):
    """Decays four-vectors `parent` [n, 4] = (E, px, py, pz) of `mass` [n] isotropically into masses m1, m2 [n]."""
    n = len(parent)
    cos, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    sin = np.sqrt(1 - cos**2)
    p = np.sqrt(np.maximum((mass**2 - (m1 + m2) ** 2) * (mass**2 - (m1 - m2) ** 2), 0)) / (2 * mass)
    way = np.stack([sin * np.cos(phi), sin * np.sin(phi), cos], 1) * p[:, None]
    pair = []
    for sign, m in ((1, m1), (-1, m2)):
        energy = np.sqrt(p**2 + m**2)
        beta, gamma = parent[:, 1:] / parent[:, :1], parent[:, 0] / mass
        along = (sign * way * beta).sum(1)
        beta2 = np.maximum((beta**2).sum(1), 1e-12)
        moved = sign * way + beta * ((gamma - 1) * along / beta2 + gamma * energy)[:, None]
        pair.append(np.column_stack([gamma * (energy + along), moved]))
    return pair


def partons(rng, labels):
    """Momentum fractions, positions (x, y about the jet axis) and color factors of up to three partons, [n, 3, 4]."""
    n = len(labels)
    momentum = rng.normal(1000, 30, n)
    width = rng.standard_cauchy(n).clip(-6, 6)
    mass = np.choose(labels, [np.zeros(n), np.zeros(n), 80.4 + 1.04 * width, 91.2 + 1.25 * width, 172.8 + 0.7 * width])
    out = np.zeros((n, 3, 4))
    single = labels < 2
    out[single, 0, 0] = 1
    out[single, 0, 3] = np.where(labels[single] == 0, 3.0, 4 / 3)

    def place(index, slot, vector):
        out[index, slot, 0] = vector[:, 3] / momentum[index]
        out[index, slot, 1:3] = vector[:, 1:3] / vector[:, 3:4]
        out[index, slot, 3] = 4 / 3

    def along_axis(index, masses):
        pz = momentum[index]
        return np.column_stack([np.sqrt(pz**2 + masses**2), np.zeros_like(pz), np.zeros_like(pz), pz])

    boson = np.flatnonzero((labels == 2) | (labels == 3))
    zero = np.zeros(len(boson))
    for slot, vector in enumerate(two_body(rng, along_axis(boson, mass[boson]), mass[boson], zero, zero)):
        place(boson, slot, vector)
    top = np.flatnonzero(labels == 4)
    w_mass = np.full(len(top), 80.4)
    b, w = two_body(rng, along_axis(top, mass[top]), mass[top], np.full(len(top), 4.7), w_mass)
    place(top, 0, b)
    for slot, vector in enumerate(two_body(rng, w, w_mass, np.zeros(len(top)), np.zeros(len(top)))):
        place(top, slot + 1, vector)
    out[..., 0] = np.maximum(out[..., 0], 0)
    out[..., 1:3] = np.clip(out[..., 1:3], -2, 2)
    return out


def shower(rng, start):
    """Constituents [n, SLOTS, 3] = (z, x, y) of partons [n, 3, 4]: each slot pair splits again until it is too soft."""
    n = len(start)
    z, x, y = (np.zeros((n, SLOTS)) for _ in range(3))
    color, angle = np.zeros((n, SLOTS)), np.zeros((n, SLOTS))
    z[:, :3], x[:, :3], y[:, :3], color[:, :3] = (start[..., i] for i in range(4))
    gaps = np.sqrt((x[:, :3, None] - x[:, None, :3]) ** 2 + (y[:, :3, None] - y[:, None, :3]) ** 2)
    both = (z[:, :3, None] > 0) & (z[:, None, :3] > 0) & ~np.eye(3, dtype=bool)
    angle[:, :3] = np.where(both, gaps, 0.6).min(2)
    filled = np.full(n, 3)
    rows = np.arange(n)
    for _ in range(110):
        # The next emission of the constituent whose remaining phase space is largest.
        room = np.log(np.maximum(z, 1e-9) / SMALLEST_Z).clip(0) * color * (angle > 2e-3)
        pick = room.argmax(1)
        open_ = (room[rows, pick] > 0) & (filled < SLOTS)
        a = angle[rows, pick] * np.exp(-rng.exponential(1, n) * 3.6 / np.maximum(room[rows, pick], 1e-3))
        top = np.maximum(z[rows, pick] / 2, SMALLEST_Z)
        emitted = SMALLEST_Z * (top / SMALLEST_Z) ** rng.uniform(0, 1, n)
        angle[rows[open_], pick[open_]] = a[open_]
        emit = open_ & (a > 2e-3) & (emitted < z[rows, pick])
        r, s, t = rows[emit], pick[emit], filled[emit]
        phi = rng.uniform(0, 2 * np.pi, n)[emit]
        share = emitted[emit] / z[r, s]
        for axis, part in ((x, np.cos(phi)), (y, np.sin(phi))):
            axis[r, t] = axis[r, s] + (1 - share) * a[emit] * part
            axis[r, s] = axis[r, s] - share * a[emit] * part
        z[r, t] = emitted[emit]
        z[r, s] -= emitted[emit]
        color[r, t], angle[r, t] = 3.0, a[emit]
        filled[emit] += 1
    z *= rng.normal(1, 0.05, z.shape).clip(0.5, 1.5)
    x += rng.normal(0, 0.015, x.shape)
    y += rng.normal(0, 0.015, y.shape)
    z[(z < SMALLEST_Z) | (np.hypot(x, y) > RADIUS)] = 0
    return np.stack([z, x, y], 2)


def features(jets):
    """The 16 FEATURES of constituents [n, SLOTS, 3]."""
    z, x, y = (jets[..., i] for i in range(3))
    z = z / np.maximum(z.sum(1, keepdims=True), 1e-9)
    x, y = (v - (z * v).sum(1, keepdims=True) for v in (x, y))
    r = np.hypot(x, y)
    gap = np.sqrt((x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2)
    apart = ~np.eye(SLOTS, dtype=bool)

    def ecf(beta):
        power = np.where(apart, np.maximum(gap, 1e-9) ** beta, 0)
        pairs = z[:, :, None] * z[:, None] * power
        triples = pairs * ((power * z[:, None]) @ power)
        return pairs.sum((1, 2)) / 2, triples.sum((1, 2)) / 6

    def mass_of(keep):
        kept = np.where(keep, z, 0)
        pairs = kept[:, :, None] * kept[:, None] * gap**2
        return 1000 * np.sqrt(pairs.sum((1, 2)) / 2)

    half, one, two = ecf(0.5), ecf(1), ecf(2)
    log = lambda v: np.log(np.maximum(v, 1e-8))  # noqa: E731
    return np.column_stack([
        (z > 0).sum(1), (z * np.log(np.maximum(z, 1e-9))).sum(1), np.sqrt((z**2).sum(1)), z.max(1),
        (z * r**0.5).sum(1), (z * r).sum(1), log((z * r**2).sum(1)),
        half[0], one[0], log(two[0]),
        one[1] / np.maximum(one[0] ** 2, 1e-9), two[1] / np.maximum(two[0] ** 2, 1e-9),
        log(one[1] / np.maximum(one[0] ** 3, 1e-12)), log(two[1] / np.maximum(two[0] ** 3, 1e-12)),
        mass_of(z > 0), mass_of(z > 0.02),
    ])  # fmt: skip


def make(seed, count):
    """`count` jets in equal shares of the classes: features [count, 16] (not standardized) and labels [count]."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(CLASSES))
    parts = []
    for chunk in np.array_split(labels, max(1, count // 1000)):
        parts.append(features(shower(rng, partons(rng, chunk))))
    return np.concatenate(parts), labels
