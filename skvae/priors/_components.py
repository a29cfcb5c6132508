"""Choosing one component of a mixture for each draw."""

import numpy as np
from scipy.special import ndtr, ndtri, softmax

EDGE = 1e-7  # the furthest quantile: 5.2 standard deviations


def chosen(logits: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The component of each draw, (n,), and noise that is left, (n, d).

    The quantile of the first number chooses; how far it lies inside the component's share
    is as random as before.
    """
    edges = np.append(0.0, softmax(logits.astype(float)).cumsum())
    edges[-1] = 1.0
    u = ndtr(noise[:, 0].astype(float))
    k = np.searchsorted(edges[1:-1], u, side="right")
    rest = (u - edges[k]) / (edges[k + 1] - edges[k])
    left = noise.copy()
    left[:, 0] = ndtri(rest.clip(EDGE, 1 - EDGE))
    return k, left
