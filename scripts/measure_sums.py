#!/usr/bin/env python3
"""Measures what Yosys makes of a netfold_reduce_tree of one to four operands selected by weights (netfold_dot) in front of an
accumulator, beside a longer path that gives mapping slack, and prints LUTs without accumulator and long path: the table of
surrogate/src/hardware/compress.rs.

    measure_sums.py      needs pyosys; about ten minutes
"""

import json
import os
import sys
import tempfile

from pyosys import libyosys as ys

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../templates/verilog/lib")
# Weight bits b2, b1, b0 of a digit, as bits of an operand's own weights.
KINDS = {"plain": None, "sign": [0], "clear": [0, 0, None], "odd": [1, 1, 0], "low": [1, 0, None], "digit": [2, 1, 0]}
WIDTHS = [1, 2, 4, 8, 12]
SLACK = 160


def module(name, kind, operands, bits):
    """Text, bits of the accumulator, of the inputs and of the weights."""
    digit = KINDS[kind]
    own = 0 if digit is None else 1 + max(b for b in digit if b is not None)
    width = bits if kind in ("plain", "sign") else bits + 1
    total = width + (operands - 1).bit_length()
    acc, weights = total + 4, max(1, own * operands)
    select = ""
    for i in range(operands):
        u = f"x[{i * bits}+:{bits}]"
        if digit is None:
            value = u
        elif kind == "sign":
            value = f"{u} ^ {{{bits}{{w[{i}]}}}}"
        else:
            b2, b1, b0 = ("1'b0" if b is None else f"w[{own * i + b}]" for b in digit)
            select += f"  wire one{i} = {b1} ^ {b0}, two{i} = {b2} ? !{b1} && !{b0} : {b1} && {b0}, negative{i} = {b2} && !({b1} && {b0});\n"
            value = f"({{{width}{{one{i}}}}} & {{1'b0, {u}}} | {{{width}{{two{i}}}}} & {{{u}, 1'b0}}) ^ {{{width}{{negative{i}}}}}"
        select += f"  assign s[{i * width}+:{width}] = {value};\n"
    text = f"""module {name}(input clk, input [{operands * bits - 1}:0] xi, input [{weights - 1}:0] wi, input vi, input fi,
    input [{acc - 1}:0] si, output [{acc - 1}:0] r, input [{SLACK - 1}:0] li, output reg [{SLACK - 1}:0] l);
  reg [{operands * bits - 1}:0] x; reg [{weights - 1}:0] w; reg v, f; reg [{acc - 1}:0] start, a; reg [{SLACK - 1}:0] lr;
  wire [{operands * width - 1}:0] s;
  wire [{total - 1}:0] sum;
{select}  netfold_reduce_tree #(.N({operands}), .BITS({width}), .SIGNED(0), .OUT_BITS({total})) u(.clk(clk), .operands(s), .result(sum));
  always @(posedge clk) begin
    x <= xi; w <= wi; v <= vi; f <= fi; start <= si; lr <= li;
    l <= l + lr;
    if (v) a <= (f ? start : a) + sum;
  end
  assign r = a;
endmodule
"""
    return text, acc


def luts(modules):
    """LUTs by module name."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        design = ys.Design()
        with tempfile.TemporaryDirectory() as folder:
            source, stat = os.path.join(folder, "d.sv"), os.path.join(folder, "s.json")
            with open(source, "w") as f:
                f.write("".join(modules.values()))
            found = {}
            for file in ("netfold_reduce_tree.sv",):
                ys.run_pass(f"read_verilog -defer -sv {os.path.join(LIBRARY, file)}", design)
            ys.run_pass(f"read_verilog -sv {source}", design)
            ys.run_pass("design -save all", design)
            for name in modules:
                ys.run_pass("design -load all", design)
                ys.run_pass(f"synth_xilinx -family xc7 -top {name} -noiopad -noclkbuf -flatten", design)
                ys.run_pass(f"tee -q -o {stat} stat -json", design)
                cells = json.load(open(stat))["design"]["num_cells_by_type"]
                found[name] = sum(cells.get(f"LUT{k}", 0) for k in range(2, 7))
            os.write(write, json.dumps(found).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


def main():
    for kind in KINDS:
        for operands in range(1, 5):
            made = {f"m{bits}": module(f"m{bits}", kind, operands, bits) for bits in WIDTHS}
            found = luts({name: text for name, (text, _) in made.items()})
            row = [f"{bits}: {found[f'm{bits}'] - made[f'm{bits}'][1] - SLACK}" for bits in WIDTHS]
            print(f"{kind} {operands} operands of input bits {', '.join(row)}", flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # pyosys does not survive the interpreter's own end
