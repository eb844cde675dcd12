#!/usr/bin/env python3
"""Measures what Yosys makes of netfold_weight_rom with registers behind it, beside what surrogate/src/hardware/rom.rs
is based on: distinct contents of six-input LUTs, and of the multiplexers of two above 256 words.

    measure_rom.py [SECONDS] [SEED]      needs pyosys and numpy; SECONDS of synthesis (default 900)
    measure_rom.py blocks                the same memories as one and in blocks of 64 words, by their share of zero weights
"""

import collections
import json
import os
import random
import sys
import tempfile
import time

import numpy as np
from pyosys import libyosys as ys

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
  netfold_weight_rom #(.WIDTH({width}), .DEPTH({depth}), .INIT_BITS({depth * width}), .INIT({depth * width}'b{init}))
    u (.clk(clk), .rst(rst), .next(next), .data(d));
endmodule
"""


def in_blocks(name, words, width):
    """The memory in blocks of 64 words that are kept apart, as templates/verilog/weights.sv has it."""
    depth, kept, sources = len(words), {}, []
    for start in range(0, depth, 64):
        block = []
        for c in range(width):
            column = [w >> c & 1 for w in words[start : start + 64]]
            column += [0] * (64 - len(column))
            first = column[0]
            if len(set(column)) == 1:
                block.append(f"1'b{first}")
            else:
                place = kept.setdefault(tuple(b ^ first for b in column), len(kept))
                block.append(("~" if first else "") + f"blocks[{place}]")
        sources.append("{" + ", ".join(reversed(block)) + "}")
    init = "".join("".join(str(column[w]) for column in reversed(kept)) for w in reversed(range(64)))
    address = (depth - 1).bit_length()
    cases = "".join(f"{i}: d = {s}; " for i, s in enumerate(sources[:-1])) + f"default: d = {sources[-1]};"
    return f"""module {name}(input clk, input rst, input next, output reg [{width - 1}:0] q);
  wire [{address - 1}:0] address;
  netfold_address #(.DEPTH({depth})) u_address (.clk(clk), .rst(rst), .next(next), .address(address));
  wire [{len(kept) - 1}:0] blocks;
  (* keep_hierarchy = "yes" *)
  netfold_rom #(.WIDTH({len(kept)}), .DEPTH(64), .REGISTERED(0), .INIT_BITS({64 * len(kept)}), .INIT({64 * len(kept)}'b{init}))
    u_rom (.clk(clk), .en(1'b0), .addr(address[5:0]), .data(blocks));
  reg [{width - 1}:0] d;
  always @* case (address[{address - 1}:6]) {cases} endcase
  always @(posedge clk) q <= d;
endmodule
"""


def compare():
    """Prints the LUTs of memories of pruned weights of six bits as one and in blocks."""
    rng = random.Random(3)
    for depth in [128, 192, 256, 512, 1024]:
        for zeros in [0, 0.5, 0.7, 0.85, 0.95]:
            draws = lambda: 0 if rng.random() < zeros else max(-31, min(31, round(rng.gauss(0, 10))))
            words = [sum((draws() & 63) << 6 * i for i in range(6)) for _ in range(depth)]
            ones = sum(w.bit_count() for w in words) / (36 * depth)
            found = synthesize([("one", module("one", words, 36), 36), ("many", in_blocks("many", words, 36), 36)])
            luts = {n: sum(found[n].get(f"LUT{k}", 0) for k in range(2, 7)) for n in ["one", "many"]}
            print(f"{depth} words, {ones:.0%} of bits set: {luts['one']} LUTs as one, {luts['many']} in blocks", flush=True)


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
    modules = {n: m["num_cells_by_type"] for n, m in json.loads(text)["modules"].items()}

    def within(cells):
        """Cells with those of the modules that are kept apart within."""
        total = collections.Counter()
        for kind, count in cells.items():
            for k, n in within(modules[kind]).items() if kind in modules else [(kind, 1)]:
                total[k] += n * count
        return total

    return {n.lstrip("\\"): within(cells) for n, cells in modules.items()}


def contents(weights, bits):
    """Distinct blocks of 64 words and multiplexers above 256 words, up to complement, and distinct columns that are not constant."""
    depth = len(weights)
    padded = max(64, 1 << (depth - 1).bit_length())
    found, columns = set(), set()
    for lane in np.array(weights).T:
        for b in range(bits):
            column = (lane >> b & 1).astype(np.uint8)
            if column.min() == column.max() or column.tobytes() in columns:
                continue
            columns.add(column.tobytes())
            column = np.concatenate([column, np.zeros(padded - depth, np.uint8)])
            for block in column.reshape(-1, 64):
                if block.min() != block.max():
                    found.add((block ^ block[0]).tobytes())
            size = padded
            while size > 256:
                for part in column.reshape(-1, size):
                    if (part[: size // 2] != part[size // 2 :]).any():
                        found.add((part ^ part[0]).tobytes())
                size //= 4
    return len(found), len(columns)


def main():
    if sys.argv[1:] == ["blocks"]:
        return compare()
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 900.0
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    end = time.time() + seconds
    while time.time() < end:
        chosen = []
        while len(chosen) < 8:
            bits, lanes = rng.choice([1, 2, 3, 4, 4, 5, 6, 6, 8, 8, 10]), rng.choice([1, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32])
            depth = rng.choice(DEPTHS)
            if depth * bits * lanes <= 24000:
                weights = [draw(rng, lanes, bits, rng.choice(["uniform", "gauss", "heavy", "sparse", "powers"])) for _ in range(depth)]
                words = [sum((w & (1 << bits) - 1) << i * bits for i, w in enumerate(row)) for row in weights]
                name = f"m{len(chosen)}"
                chosen.append((name, module(name, words, bits * lanes), bits * lanes, weights, bits))
        cells = synthesize([c[:3] for c in chosen])
        for name, _, width, weights, bits in chosen:
            luts = sum(cells[name].get(f"LUT{k}", 0) for k in range(2, 7))
            address = (len(weights) - 1).bit_length()
            # A counter that does not wrap by itself compares its number.
            counter = 0 if len(weights) == 1 << address else 2 if address <= 6 else 5
            found, columns = contents(weights, bits)
            print(f"{len(weights)} words of {width} bits, {columns} columns: {luts - counter} LUTs, {found} contents", flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # pyosys does not survive the interpreter's own end
