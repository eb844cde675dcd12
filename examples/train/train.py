"""Trains the example networks: `python examples/train/train.py [NAME ...]`, all of them when no name is given.

The same versions of NumPy and its linear algebra give the same bytes; one thread keeps the order of sums fixed.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import importlib  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

NAMES = ["jet_tagger", "digits_cnn", "digits_mlp", "digits_resnet", "vibration_autoencoder", "muon_track"]


def main(names):
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"no example named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        start = time.monotonic()
        figures = importlib.import_module(name).build()
        print(f"{name} ({time.monotonic() - start:.0f} s)")
        for key, value in figures.items():
            print(f"  {key}: {value:.4f}" if isinstance(value, float) else f"  {key}: {value}")


if __name__ == "__main__":
    main(sys.argv[1:])
