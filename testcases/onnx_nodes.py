"""Runs the single-operator cases of the `onnx` package through the golden engine: `onnx_nodes.py NETFOLD CASES [PART_OF_NAME]`.

CASES is a folder that frontend/tests/export_onnx_cases.py (or export_reference_cases.py) wrote. Every case must come near its
reference or be refused by an error with exit status 2. Values that 24 bits with 10 before the binary point cannot hold, and NaN, are
clipped before the comparison. Prints every case that is wrong and the counts; the exit status is 1 when there is one.
"""

import collections
import concurrent.futures
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx

CONFIG = "HLSConfig:\n  Model: {Precision: \"ap_fixed<24,10,AP_RND,AP_SAT>\", ReuseFactor: 1}\n"
REACH = 511.0
TOLERANCE = 0.03
# Where netfold deviates on purpose: the reference wraps around where the standard saturates, takes the root of negative numbers,
# or needs numbers beyond the format on the way to its result.
ACCEPTED = ("test_qlinearmatmul_2D_int8", "test_operator_sqrt.", "test_softmax_large_number", "test_reduce_l2_", "BFLOAT16_to_FLOAT")


def ports(model):
    """Names of the inputs that are no constants, and of the outputs."""
    constants = {i.name for i in model.graph.initializer}
    return [i.name for i in model.graph.input if i.name not in constants], [o.name for o in model.graph.output]


def run(netfold, folder, config, work):
    """What became of a case: works, refused or wrong; and details."""
    model = os.path.join(folder, "model.onnx")
    arrays = {kind: sorted(glob.glob(os.path.join(folder, f"{kind}_*.npy"))) for kind in ("input", "output")}
    if not arrays["input"]:
        command = [netfold, "inspect", model]
        outputs = []
    else:
        inputs, outputs = ports(onnx.load(model))
        command = [netfold, "sim", model, "-c", config]
        for name, path in zip(inputs, arrays["input"]):
            command += ["--input", f"{name}={path}"]
        for k, name in enumerate(outputs):
            command += ["--output", f"{name}={os.path.join(work, f'{k}.npy')}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=120)
    except subprocess.TimeoutExpired:
        return "wrong", "takes more than two minutes"
    if result.returncode == 2 and "error" in result.stderr and "E99" not in result.stderr:
        return "refused", ""
    if result.returncode != 0:
        return "wrong", f"exit status {result.returncode}: {result.stderr[-400:]}"
    for k, (name, path) in enumerate(zip(outputs, arrays["output"])):
        found, expected = (np.load(p).astype(np.float64) for p in (os.path.join(work, f"{k}.npy"), path))
        if found.size != expected.size:
            return "wrong", f"{name}: shape {found.shape}, expected {expected.shape}"
        expected = np.clip(np.nan_to_num(expected.ravel()), -REACH, REACH)
        difference = np.abs(np.clip(found.ravel(), -REACH, REACH) - expected) / np.maximum(1, np.abs(expected))
        if difference.size and difference.max() > TOLERANCE:
            return "wrong", f"{name}: differs by {difference.max():.3g} relative to its size"
    return "works", ""


def main(netfold, cases, part=""):
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor() as pool:
        config = os.path.join(temporary, "config.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG)

        def one(folder):
            with tempfile.TemporaryDirectory(dir=temporary) as work:
                return os.path.basename(folder), *run(os.path.abspath(netfold), folder, config, work)

        folders = sorted(f for f in glob.glob(os.path.join(cases, "*")) if part in f)
        for name, state, detail in pool.map(one, folders):
            if state == "wrong" and any(a in name for a in ACCEPTED):
                state = "accepted"
            counts[state] += 1
            if state == "wrong":
                print(f"{name}: {detail}", flush=True)
    print(", ".join(f"{n} {state}" for state, n in sorted(counts.items())))
    return 1 if counts["wrong"] or not counts["works"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
