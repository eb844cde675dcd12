"""Holds the example networks and the built `netfold` against outside tools: `cross_check.py NETFOLD`.

1. qonnx or ONNX Runtime compute the stored outputs of every example again.
2. `netfold sim --engine golden` computes them: the quantized networks equal up to one step of the last quantizer in one value
   of a thousand, the float ones with the same largest output in 99 % of the samples (autoencoder: within 0.03).
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "examples", "train"))

import export  # noqa: E402

# How far the golden engine may be from float: (how outputs are compared, bound).
EXPECTED = {
    "jet_tagger": ("softmax", 0.01),
    "digits_cnn": ("steps", 0.125),
    "digits_mlp": ("argmax", 0.99),
    "digits_resnet": ("argmax", 0.97),
    "vibration_autoencoder": ("close", 0.03),
    "muon_track": ("close", 1e-6),
}


def compare(kind, bound, outputs, expected):
    """What is wrong with the outputs, or None."""
    if outputs.shape != expected.shape:
        return f"shape {outputs.shape}, expected {expected.shape}"
    difference = np.abs(outputs.astype(np.float64) - expected)
    same = float((outputs.argmax(1) == expected.argmax(1)).mean())
    if kind == "steps":
        share = float((difference > 1e-6).mean())
        if share > 0.001 or difference.max() > bound * 1.001:
            return f"{share:.2%} of the values differ, by up to {difference.max():.4g}"
    elif kind == "argmax":
        if same < bound:
            return f"the largest output agrees in {same:.2%} of the samples only"
    elif difference.max() > bound or (kind == "softmax" and same < 0.99):
        return f"differs by up to {difference.max():.4g}, and the largest output agrees in {same:.2%} of the samples"
    return None


def main(netfold):
    """Prints a line for each check; returns how many failed."""
    failed = 0

    def report(name, check, problem):
        nonlocal failed
        failed += problem is not None
        print(f"{name:24}{check:12}{'ok' if problem is None else 'FAILED: ' + problem}", flush=True)

    for name, (kind, bound) in EXPECTED.items():
        folder = os.path.join(ROOT, "examples", name)
        inputs, expected = (np.load(os.path.join(folder, f"{which}.npy")) for which in ("input", "output"))
        again = export.run(onnx.load(os.path.join(folder, "model.onnx")), inputs)
        difference = float(np.abs(again - expected).max())
        report(name, "reference", None if difference < 1e-4 else f"differs by {difference:.3g}")
        with tempfile.TemporaryDirectory() as temporary:
            output = os.path.join(temporary, "y.npy")
            command = [netfold, "sim", os.path.join(folder, "model.onnx"), "-c", os.path.join(folder, "config.yaml")]
            command += ["--engine", "golden", "--input", os.path.join(folder, "input.npy"), "--output", output, "--json"]
            run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
            if run.returncode != 0 or not os.path.exists(output):
                report(name, "golden", f"netfold ended with {run.returncode}: {run.stderr.strip()[-400:]}")
                continue
            json.loads(run.stdout)
            report(name, "golden", compare(kind, bound, np.load(output), expected))
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1]) else 0)
