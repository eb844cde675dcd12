"""The 8 x 8 handwritten digits that scikit-learn carries (UCI "Optical Recognition of Handwritten Digits", 1,797 images)."""

import numpy as np
from sklearn.datasets import load_digits


def load(seed=7, test_share=0.25):
    """Images [n, 1, 8, 8] in steps of 1/16 from 0 to 1 and labels: training and test."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(images))
    test = order[: int(len(order) * test_share)]
    rest = order[len(test) :]
    return images[rest], labels[rest], images[test], labels[test]
