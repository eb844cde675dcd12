"""Message passing over the hardware graph beside a sum of modules, on networks held out: the LUTs and flip-flops of whole designs.

Every module and FIFO is a node with the features that training sees (`hardware dump`); streams are the edges. A node's state is a
small network of its features, updated a number of rounds from the mean of its predecessors' and of its successors' states; it gives the
factor by which the node's count from structure is corrected, and the design is the sum of its nodes. With no rounds the same network
sees every module alone. Modules that were synthesized alone are graphs of one node. Trained on relative errors with Adam; five folds by
network, modules out of held-out networks left out as well.

    cargo run --release -p netfold-surrogate --example hardware -- dump TABLE > DUMP
    python benches/surrogate/message_passing.py TABLE.csv.gz DUMP        (needs jax)
"""

import argparse
import csv
import gzip
import json
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

csv.field_size_limit(1 << 30)
FOLDS, HIDDEN, STEPS, BATCH, RATE = 5, 32, 1500, 64, 3e-3


def graphs(table, dump):
    """A graph a row: features [n, f], edges [e, 2], structural counts [n, 2], truths [2], group, whether a network."""
    with gzip.open(table, "rt") as file:
        designs = {row["group"]: row["design"] for row in csv.DictReader(file) if row["kind"] == "network"}
    with open(dump) as file:
        lines = list(csv.DictReader(file))
    names = list(lines[0])[4:-5]
    units = sorted({line["unit"] for line in lines})
    rows, last = [], None
    for line in lines:
        # A bare row is one node; parts of networks (synthesized as modules of it) follow it as bare rows of the same number.
        bare = line["bare"] == "true"
        if bare or last != (line["row"], False) or not rows:
            rows.append({"bare": bare, "group": line["group"], "nodes": [], "line": line})
        last = (line["row"], bare)
        rows[-1]["nodes"].append(line)
    found = []
    for row in rows:
        x = np.array([[float(n[k]) for k in names] for n in row["nodes"]], np.float32)
        one_hot = np.array([[float(n["unit"] == u) for u in units] for n in row["nodes"]], np.float32)
        counts = np.maximum(x[:, [names.index("lut0"), names.index("ff0")]], 0)
        x = np.concatenate([np.log1p(np.maximum(x, 0)), one_hot], 1)
        truth = np.array([float(row["line"]["lut"]), float(row["line"]["ff"])], np.float32)
        edges = np.zeros((0, 2), np.int32)
        if not row["bare"]:
            design = json.loads(designs[row["group"]])
            streams = design["streams"]
            modules = len(design["modules"])
            if modules + len(streams) != len(row["nodes"]):
                sys.exit(f"{row['group']}: {modules} modules, {len(streams)} streams, {len(row['nodes'])} nodes")
            ends = [(s["from"], modules + i) for i, s in enumerate(streams)]
            ends += [(modules + i, s["to"]) for i, s in enumerate(streams)]
            edges = np.array(ends, np.int32).reshape(-1, 2)
        found.append((x, edges, counts, truth, row["group"], not row["bare"]))
    return found


def pack(chosen, nodes, edges):
    """One disjoint graph of several, padded; the last node and the last graph are padding."""
    size = max(len(chosen), 1)
    x = np.zeros((nodes, chosen[0][0].shape[1]), np.float32)
    count = np.zeros((nodes, 2), np.float32)
    of = np.full(nodes, size, np.int32)
    ends = np.full((edges, 2), nodes - 1, np.int32)
    truth = np.zeros((size, 2), np.float32)
    n = e = 0
    for g, (features, edge, counts, y, _, _) in enumerate(chosen):
        k = len(features)
        x[n : n + k], count[n : n + k], of[n : n + k] = features, counts, g
        ends[e : e + len(edge)] = edge + n
        truth[g] = y
        n, e = n + k, e + len(edge)
    return x, count, of, ends, truth


def start(key, features, rounds):
    """Weights: of the first state, of every round, of the answer."""

    def layer(key, n, m):
        return jax.random.normal(key, (n, m)) * np.sqrt(2 / n), jnp.zeros(m)

    keys = jax.random.split(key, rounds + 2)
    return {
        "in": layer(keys[0], features, HIDDEN),
        "rounds": [layer(k, 3 * HIDDEN, HIDDEN) for k in keys[1 : rounds + 1]],
        "out": (layer(keys[-1], HIDDEN, 2)[0] * 0.01, jnp.zeros(2)),
    }


def predict(weights, x, count, of, ends, graphs):
    """LUTs and flip-flops of every graph."""
    nodes = x.shape[0]
    w, b = weights["in"]
    h = jax.nn.relu(x @ w + b)
    for w, b in weights["rounds"]:
        source, target = ends[:, 0], ends[:, 1]
        degree_in = jax.ops.segment_sum(jnp.ones(len(ends)), target, nodes)[:, None]
        degree_out = jax.ops.segment_sum(jnp.ones(len(ends)), source, nodes)[:, None]
        before = jax.ops.segment_sum(h[source], target, nodes) / jnp.maximum(degree_in, 1)
        after = jax.ops.segment_sum(h[target], source, nodes) / jnp.maximum(degree_out, 1)
        h = h + jax.nn.relu(jnp.concatenate([h, before, after], 1) @ w + b)
    w, b = weights["out"]
    factor = jnp.exp(jnp.clip(h @ w + b, -2, 2))
    return jax.ops.segment_sum(factor * count, of, graphs + 1)[:graphs]


def loss(weights, x, count, of, ends, truth):
    """Mean absolute relative error; of a row without any, what little is predicted."""
    p = predict(weights, x, count, of, ends, truth.shape[0])
    return jnp.mean(jnp.abs(p - truth) / (truth + 8))


@partial(jax.jit, static_argnums=(3,))
def step(state, batch, i, rate):
    """One step of Adam, with the rate falling to nothing."""
    weights, m, v = state
    g = jax.grad(loss)(weights, *batch)
    m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
    v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
    r = rate * (1 - i / STEPS)

    def move(w, a, b):
        return w - r * a / (1 - 0.9 ** (i + 1)) / (jnp.sqrt(b / (1 - 0.999 ** (i + 1))) + 1e-8)

    return jax.tree.map(move, weights, m, v), m, v


def train(rows, rounds, seed):
    """Weights for rows."""
    r = np.random.default_rng(seed)
    networks = [g for g in rows if g[5]]
    alone = [g for g in rows if not g[5]]
    weights = start(jax.random.PRNGKey(seed), rows[0][0].shape[1], rounds)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, zeros, zeros)
    nodes, edges = 1600, 3200
    for i in range(STEPS):
        chosen = [networks[k] for k in r.permutation(len(networks))[: BATCH // 4]]
        while sum(len(g[0]) for g in chosen) > nodes - BATCH or sum(len(g[1]) for g in chosen) > edges:
            chosen.pop()
        chosen += [alone[k] for k in r.permutation(len(alone))[: BATCH - len(chosen)]]
        state = step(state, pack(chosen, nodes, edges), i, RATE)
    return state[0]


def main():
    """Scores both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("table")
    parser.add_argument("dump")
    args = parser.parse_args()
    rows = graphs(args.table, args.dump)
    mean = np.concatenate([g[0] for g in rows]).mean(0)
    spread = np.concatenate([g[0] for g in rows]).std(0) + 1e-3
    rows = [((g[0] - mean) / spread, *g[1:]) for g in rows]
    groups = sorted({g[4] for g in rows if g[5]})
    np.random.default_rng(1).shuffle(groups)
    print("| rounds | LUT median | LUT p75 | FF median | FF p75 |\n|---|---|---|---|---|")
    for rounds in (0, 1, 2):
        errors = []
        for fold in range(FOLDS):
            out = set(groups[fold::FOLDS])
            weights = train([g for g in rows if g[4] not in out], rounds, fold)
            for g in (g for g in rows if g[4] in out and g[5]):
                x, count, of, ends, truth = pack([g], len(g[0]) + 1, len(g[1]))
                p = np.asarray(predict(weights, x, count, of, ends, 1))[0]
                errors.append(np.abs(p - truth[0]) / np.maximum(truth[0], 1))
        q = np.quantile(np.array(errors), [0.5, 0.75], axis=0)
        print(f"| {rounds} | " + " | ".join(f"{100 * q[k][t]:.1f} %" for t in (0, 1) for k in (0, 1)) + " |", flush=True)


if __name__ == "__main__":
    main()
