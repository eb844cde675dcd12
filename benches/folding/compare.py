"""Compares the folding optimizer with the balanced rule by synthesis: cycles, lookup tables, flip-flops, DSP blocks, block RAM.

The rule gives each layer the fewest multipliers with which it keeps the interval; `passes/examples/balanced_rule.rs` writes its folding
as a configuration. Both designs are generated for the same board and frame rate and synthesized with `netfold synth --family xc7`
(Yosys 0.70 through pyosys, `NETFOLD_PYTHON`). Prints a Markdown table and where the optimizer's design takes more.

    python benches/folding/compare.py [--netfold BINARY] [--rule BINARY] [--board NAME] MODEL.onnx:CYCLES[,CYCLES...] ...
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

CLOCK_MHZ = 100
COLUMNS = ["lut", "lutram", "ff", "dsp", "bram36"]


def run(command):
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def design(args, model, cycles, folder, config=None):
    """Cycles and counts of the design for an interval."""
    common = [model, "--board", args.board, "--clock-mhz", CLOCK_MHZ, "--fps", f"{CLOCK_MHZ * 1e6 / cycles:.9g}"]
    common += ["-c", config] if config else []
    run([args.netfold, "gen", *common, "--force", "-o", folder])
    estimate = json.loads(run([args.netfold, "estimate", *common, "--json"]))
    counts = json.loads(run([args.netfold, "synth", folder, "--family", "xc7", "--json"]))
    return [estimate["interval_cycles"], estimate["latency_cycles"]] + [counts[c] for c in COLUMNS]


def main():
    """Makes the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--netfold", default="target/release/netfold")
    parser.add_argument("--rule", default="target/release/examples/balanced_rule")
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--dsp", type=int, default=220, help="DSP blocks of the board, for the rule")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    print("| network | cycles asked | design | interval | latency | LUT | LUT as memory | FF | DSP | BRAM36 |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for spec in args.models:
        model, rates = spec.rsplit(":", 1)
        path = pathlib.Path(model)
        name = path.parent.name if path.stem == "model" else path.stem
        for cycles in map(int, rates.split(",")):
            with tempfile.TemporaryDirectory() as scratch:
                scratch = pathlib.Path(scratch)
                config = scratch / "rule.yaml"
                config.write_text(run([args.rule, model, cycles, args.dsp]))
                rule = design(args, model, cycles, scratch / "rule", config)
                best = design(args, model, cycles, scratch / "best")
            for label, row in [("balanced rule", rule), ("optimum", best)]:
                print(f"| {name} | {cycles:,} | {label} | " + " | ".join(f"{v:,}" for v in row) + " |", flush=True)
            worse = [c for c, a, b in zip(["interval", "latency"] + COLUMNS, best, rule) if a > b]
            if worse:
                print(f"{name} at {cycles}: more {', '.join(worse)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
