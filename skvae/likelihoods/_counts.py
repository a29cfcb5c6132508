"""What likelihoods of counts share: their support, where they start, and what the encoder sees."""

from typing import Any

import numpy as np

from skvae._math import ops

SUPPORT = "counts (whole numbers from 0 to 16,777,216)"
LARGEST = 2.0**24  # float32 holds no larger range of whole numbers
MIN_MEAN = 1e-3  # a column of zeros still has a finite log-rate to start from
# Of log(1 + count): a column that hardly varies is not blown up further.
MIN_SPREAD = np.float32(0.1)


def supports(X: np.ndarray) -> np.ndarray:
    """Whether each value is a count."""
    return (X >= 0) & (X <= LARGEST) & (np.floor(X) == X)


def constants(x: np.ndarray) -> dict[str, np.ndarray]:
    """The logarithm of each column's mean, and what standardises log(1 + count)."""
    log_mean = np.log(x.mean(axis=0, dtype=np.float64).clip(MIN_MEAN))
    seen = np.log1p(x)
    return {
        "log_mean": log_mean.astype(np.float32),
        "center": seen.mean(axis=0, dtype=np.float64).astype(np.float32),
        "spread": seen.std(axis=0, dtype=np.float64).clip(MIN_SPREAD).astype(np.float32),
    }


def features(w: dict, x: Any, seen: Any) -> Any:
    """log(1 + count), standardised; 0 in a hole."""
    return seen * (ops.log1p(ops.maximum(x, 0.0)) - w["center"]) / w["spread"]
