"""Compares netfold's unrolled networks with da4ml's: lookup tables, flip-flops, stages and solve time.

Needs `pip install da4ml==0.6.0 pyosys==0.70` and cargo. Prints a Markdown table. Both tools get the same integer
networks: dense layers, ReLU, truncation and saturation, made here from fixed seeds. Both put at most five adder levels
in a stage, register inputs and outputs, and take a new input every clock. LUT is the sum of LUT2 to LUT6 and FF the sum
of FDRE and FDSE after `synth_xilinx -family xcup -noiopad -noclkbuf -flatten`.

    python benches/da4ml/compare.py [--quick] [--net FILE.json ...] [--keep DIR]
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEVELS = 5
# name, layer sizes, weight bits (1: plus and minus one), share of weights kept, activation bits, input bits, seed
NETWORKS = [
    ("tiny 3-bit, 30 %", (16, 32, 16, 5), 3, 0.3, 2, 4, 7),
    ("ternary, 50 %", (16, 64, 32, 32, 5), 2, 0.5, 3, 8, 5),
    ("small 8-bit, 50 %", (10, 24, 16, 5), 8, 0.5, 8, 8, 6),
    ("3-bit dense", (16, 32, 32, 32, 5), 3, 1.0, 4, 8, 4),
    ("6-bit, 25 %", (16, 64, 32, 32, 5), 6, 0.25, 7, 8, 2),
    ("4-bit dense", (16, 64, 32, 32, 5), 4, 1.0, 5, 8, 3),
    ("6-bit dense", (16, 64, 32, 32, 5), 6, 1.0, 7, 8, 1),
    ("binary, 1-bit data", (64, 32, 32, 10), 1, 1.0, 1, 1, 8),
    ("ternary, 2-bit data", (64, 32, 32, 10), 2, 0.5, 2, 2, 9),
    ("2-bit data, six inputs a neuron", (64, 64, 32, 10), 3, 0.09, 2, 2, 10),
    ("2-bit data, three inputs a neuron", (32, 64, 64, 10), 4, 0.11, 2, 2, 11),
]


def make_network(name, sizes, weight_bits, keep, act_bits, in_bits, seed):
    """A network with normally distributed weights whose truncations fit the activations' 99.5 % quantile."""
    rng = np.random.default_rng(seed)
    signed = in_bits > 2
    low = -(2 ** (weight_bits - 1))
    first = -(2 ** (in_bits - 1)) if signed else 0
    x = rng.integers(first, first + 2**in_bits, (512, sizes[0])).astype(float)
    layers = []
    for k in range(len(sizes) - 1):
        w = rng.normal(0, 1, (sizes[k + 1], sizes[k])) * (2 ** (weight_bits - 1) - 0.5) / 3.0
        w = np.clip(np.rint(w), low, -low - 1) if weight_bits > 1 else np.where(w < 0, -1, 1)
        w[rng.random(w.shape) > keep] = 0
        b = np.rint(rng.normal(0, abs(x @ w.T).mean() * 0.3, sizes[k + 1]))
        y = x @ w.T + b
        layer = {"w": w.astype(int).tolist(), "b": b.astype(int).tolist(), "shift": 0, "bits": 0}
        layer |= {"relu": False, "signed": False}
        if k < len(sizes) - 2:
            # One bit is a step near the upper quartile; more bits hold nearly all sums.
            top = max(np.quantile(y, 0.75) * 2 if act_bits == 1 else np.quantile(y, 0.995), 1)
            shift = max(0, int(np.ceil(np.log2(top / 2**act_bits))))
            layer |= {"shift": shift, "relu": True, "bits": act_bits}
            x = np.clip(np.floor(np.maximum(y, 0) / 2**shift), 0, 2**act_bits - 1)
        layers.append(layer)
    return {"name": name, "inputs": sizes[0], "in_bits": in_bits, "in_signed": signed, "layers": layers}


def run_da4ml(net, folder):
    from da4ml.codegen import RTLModel
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
    from da4ml.trace.ops import quantize, relu

    start = time.perf_counter()
    ports = FixedVariableArrayInput((net["inputs"],), HWConfig(1, -1, LEVELS))
    sign = int(net["in_signed"])
    x = quantize(ports, sign, net["in_bits"] - sign, 0)
    for layer in net["layers"]:
        x = x @ np.array(layer["w"], dtype=np.float64).T + np.array(layer["b"], dtype=np.float64)
        if layer["relu"]:
            x = relu(x)
        if layer["bits"]:
            sign, shift = int(layer["signed"]), layer["shift"]
            x = quantize(x, sign, layer["bits"] - sign + shift, -shift, "SAT", "TRN") * 2.0**-shift
    model = RTLModel(comb_trace(ports, x), "da", folder, latency_cutoff=LEVELS, print_latency=False)
    seconds = time.perf_counter() - start
    model.write()
    source = pathlib.Path(folder) / "src"
    files = [source / "da.v", *source.glob("da_stage*.v")]
    files += [f for f in (source / "static").glob("*.v") if f.name != "lookup_table.v"]
    return {"stages": len(model._pipe.solutions), "solve": seconds, "top": "da", "files": [str(f) for f in files]}


def run_netfold(net, folder):
    path = pathlib.Path(folder) / "net.json"
    path.write_text(json.dumps(net))
    out = pathlib.Path(folder) / "nf.sv"
    tool = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/examples/compile_json"
    env = os.environ | {"LEVELS": str(LEVELS)}
    line = subprocess.run([tool, path, out], check=True, capture_output=True, text=True, env=env).stdout
    figures = json.loads(line)
    return {"stages": figures["stages"], "solve": figures["solve_s"], "top": "nf", "files": [str(out)]}


def synthesize(job):
    """LUT and FF counts; runs in a process of its own since Yosys holds global state."""
    from pyosys import libyosys

    sys.stdout.flush()
    null, stdout = os.open(os.devnull, os.O_WRONLY), os.dup(1)
    os.dup2(null, 1)
    design = libyosys.Design()
    for f in job["files"]:
        libyosys.run_pass(f"read_verilog -sv {f}", design)
    with tempfile.TemporaryDirectory() as folder:
        top = f"-top {job['top']}"
        libyosys.run_pass(f"synth_xilinx -family xcup {top} -noiopad -noclkbuf -flatten", design)
        libyosys.run_pass(f"tee -q -o {folder}/stat.json stat -json", design)
        cells = json.loads(pathlib.Path(folder, "stat.json").read_text())["design"]["num_cells_by_type"]
    os.dup2(stdout, 1)
    luts = sum(cells.get(f"LUT{k}", 0) for k in range(2, 7))
    return luts, cells.get("FDRE", 0) + cells.get("FDSE", 0), cells.get("CARRY4", 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only the three smallest networks")
    parser.add_argument("--net", nargs="*", default=[], help="more networks, in the JSON form of compile_json")
    parser.add_argument("--keep", help="folder for the generated files")
    args = parser.parse_args()
    build = ["cargo", "build", "--release", "-p", "netfold-shiftadd", "--example", "compile_json"]
    subprocess.run(build, check=True, cwd=ROOT)
    networks = [make_network(*n) for n in (NETWORKS[:3] if args.quick else NETWORKS)]
    networks += [json.loads(pathlib.Path(f).read_text()) for f in args.net]
    print("| network | tool | LUT | FF | CARRY4 | stages | solve s | LUT ratio | FF ratio |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        base = pathlib.Path(args.keep or temporary)
        for index, net in enumerate(networks):
            rows = []
            for tool, run in (("da4ml", run_da4ml), ("netfold", run_netfold)):
                folder = base / f"{index}_{tool}"
                folder.mkdir(parents=True, exist_ok=True)
                job = run(net, folder)
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    rows.append((tool, job, pool.apply(synthesize, (job,))))
            reference = rows[0][2]
            for tool, job, (lut, ff, carry) in rows:
                ratios = f"{lut / reference[0]:.2f} | {ff / reference[1]:.2f}"
                cells = f"{lut} | {ff} | {carry} | {job['stages']} | {job['solve']:.2f}"
                print(f"| {net['name']} | {tool} | {cells} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
