#!/usr/bin/env python3
"""Measures what Yosys makes of netfold_sequence_rom in logic with registers behind it, and prints the factors of
surrogate/src/hardware/rom.rs: LUTs a distinct block of 16, 32, 64 and more words.

    measure_rom.py [SECONDS] [SEED]      needs pyosys, numpy and scipy; SECONDS of synthesis (default 900)
"""

import json
import os
import random
import sys
import tempfile
import time

import numpy as np
from pyosys import libyosys as ys
from scipy.optimize import nnls

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../templates/verilog/lib")
DEPTHS = [5, 8, 12, 16, 20, 24, 32, 33, 40, 48, 56, 64, 64, 72, 80, 96, 100, 128, 128, 144, 160, 192, 224, 256, 288, 384, 400, 512, 640, 784]


def draw(rng, count, bits, kind):
    """Weights of `bits` bits: uniform, Gaussian, heavy-tailed, sparse, or powers of two."""
    top = 2 ** (bits - 1) - 1
    if bits == 1:
        return [rng.randint(0, 1) for _ in range(count)]
    clip = lambda v: max(-top, min(top, round(v)))
    if kind == "uniform":
        return [rng.randint(-top - 1, top) for _ in range(count)]
    if kind == "gauss":
        return [clip(rng.gauss(0, top / 3)) for _ in range(count)]
    if kind == "heavy":
        return [clip(rng.gauss(0, top / 6) / max(0.2, rng.random()) ** 0.5) for _ in range(count)]
    if kind == "sparse":
        return [0 if rng.random() < 0.6 else clip(rng.gauss(0, top / 3)) for _ in range(count)]
    return [rng.choice([0, 1, -1]) * 2 ** rng.randint(0, bits - 2) for _ in range(count)]


def module(name, words, width):
    depth = len(words)
    init = "".join(format(w, f"0{width}b") for w in reversed(words))
    return f"""module {name}(input clk, input rst, input next, output reg [{width - 1}:0] q);
  wire [{width - 1}:0] d;
  always @(posedge clk) q <= d;
  netfold_sequence_rom #(.WIDTH({width}), .DEPTH({depth}), .INIT_BITS({depth * width}), .INIT({depth * width}'b{init}))
    u (.clk(clk), .rst(rst), .next(next), .data(d));
endmodule
"""


def synthesize(modules):
    """Cells by module name. Every module is kept whole below one top."""
    top = "module top(input clk, input rst" + "".join(f", input n{i}, output [{w - 1}:0] q{i}" for i, (_, _, w) in enumerate(modules)) + ");\n"
    top += "".join(f"(* keep_hierarchy *) {name} u{i}(clk, rst, n{i}, q{i});\n" for i, (name, _, _) in enumerate(modules)) + "endmodule\n"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        design = ys.Design()
        with tempfile.TemporaryDirectory() as folder:
            source, stat = os.path.join(folder, "d.sv"), os.path.join(folder, "s.json")
            with open(source, "w") as f:
                f.write("".join(text for _, text, _ in modules) + top)
            for file in sorted(os.listdir(LIBRARY)):
                ys.run_pass(f"read_verilog -defer -sv {os.path.join(LIBRARY, file)}", design)
            ys.run_pass(f"read_verilog -sv {source}", design)
            ys.run_pass("synth_xilinx -family xc7 -top top -noiopad -noclkbuf -flatten", design)
            ys.run_pass(f"tee -q -o {stat} stat -json", design)
            os.write(write, open(stat, "rb").read())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return {n.lstrip("\\"): m["num_cells_by_type"] for n, m in json.loads(text)["modules"].items()}


def blocks(weights, bits):
    """Distinct blocks, up to complement, whose halves differ: of 16, 32, 64 and more words. Also the distinct columns."""
    depth = len(weights)
    padded = 1 << (depth - 1).bit_length()
    found, seen = [set(), set(), set(), set()], set()
    for lane in np.array(weights).T:
        for b in range(bits):
            column = (lane >> b & 1).astype(np.uint8)
            if column.min() == column.max() or column.tobytes() in seen:
                continue
            seen.add(column.tobytes())
            column = np.concatenate([column, np.full(padded - depth, column[-1], np.uint8)])
            size = 16
            while size <= padded:
                for block in column.reshape(-1, size):
                    if (block[: size // 2] != block[size // 2 :]).any():
                        found[min((size // 32).bit_length(), 3)].add((block ^ block[0]).tobytes())
                size *= 2
    return [len(s) for s in found], len(seen)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 900.0
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    rows, end = [], time.time() + seconds
    while time.time() < end:
        chosen = []
        for i in range(8):
            bits, lanes = rng.choice([1, 2, 3, 4, 4, 5, 6, 6, 8, 8, 10]), rng.choice([1, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32])
            depth = rng.choice(DEPTHS)
            if depth * bits * lanes <= 24000:
                weights = [draw(rng, lanes, bits, rng.choice(["uniform", "gauss", "heavy", "sparse", "powers"])) for _ in range(depth)]
                words = [sum((w & (1 << bits) - 1) << i * bits for i, w in enumerate(row)) for row in weights]
                chosen.append((f"m{i}", module(f"m{i}", words, bits * lanes), bits * lanes, weights, bits))
        cells = synthesize([c[:3] for c in chosen])
        for name, _, _, weights, bits in chosen:
            luts = sum(cells[name].get(f"LUT{k}", 0) for k in range(2, 7))
            address = (len(weights) - 1).bit_length()
            counter = address + (1 if address <= 6 else 2)
            rows.append((len(weights), *blocks(weights, bits), luts - counter))
    for low, high in [(33, 64), (65, 128), (129, 256), (257, 4096)]:
        some = [r for r in rows if low <= r[0] <= high and r[2] > 2]
        x, y = np.array([r[1] for r in some], float), np.array([r[3] for r in some], float)
        weight = 1 / (y + 3)
        for _ in range(20):
            factors, _ = nnls(x * weight[:, None], y * weight)
            error = np.abs(x @ factors / y - 1)
            weight = 1 / (y + 3) / np.sqrt(np.maximum(error, 0.02))
        print(f"{low}..={high} words, {len(some)} memories: {factors.round(2)}, median error {np.median(error):.3f}")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # pyosys does not survive the interpreter's own end
