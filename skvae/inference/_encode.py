"""Rows to latent points, and latent points to cells."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skvae._math import ops
from skvae.engine import LATENT, ROWS, Shape, graph_of, run, takes
from skvae.inference._blocks import HEIGHT, by_group, by_row, encoding_height, height_of, padded
from skvae.model import Inference, Model, Network
from skvae.table import Cells

BY_ROW = Shape((None, None, "latent"))  # (rows, draws, d)


def posterior_mean(model: Model, x: Cells) -> np.ndarray:
    """Mean of q(z | x) of each row, (rows, latent_dim)."""
    height = encoding_height(model)
    if len(x) <= height:  # as quick as can be, for rows that come one by one
        return run(_mean, model, padded(x[:], height))[0][: len(x)]
    return by_row(_mean, model, height, x)[0]


def features(model: Model, x: Cells) -> np.ndarray:
    """Rows as the encoder sees them, (rows, n_features)."""
    return by_row(_features, model, encoding_height(model), x)[0]


def posterior_sample(
    model: Model, x: Cells | np.ndarray, noise: np.ndarray, height: int | None = None
) -> np.ndarray:
    """Draws from q(z | x) from standard normal noise (draws, rows, latent_dim), of its shape."""
    height = height or height_of(model, len(noise))
    draws = by_row(_sample, model, height, x, noise.swapaxes(0, 1))[0]
    return draws.swapaxes(0, 1)


def decode(model: Model, z: np.ndarray) -> Iterator[np.ndarray]:
    """The decoder's raw numbers at each latent point, block by block, (n, n_raw)."""
    start = 0
    for (raw,) in by_group(raw_at, model, min(HEIGHT, height_of(model, 1)), z):
        with np.errstate(invalid="ignore"):
            total = raw.sum(dtype=np.float64)
        if not np.isfinite(total) and (wrong := ~np.isfinite(raw).all(axis=1)).any():
            row = start + int(np.argmax(wrong))
            raise ValueError(
                f"The latent point {z[row].tolist()} (row {row}) is too far out for the decoder, "
                "which gives no finite numbers there; points near those of transform are expected."
            )
        start += len(raw)
        yield raw


def cells(model: Model, z: np.ndarray, read: Callable) -> Iterator[np.ndarray]:
    """What `read` makes of the likelihood's arrays and raw numbers at points, block by block."""
    w = model.learned()["likelihood"]
    for raw in decode(model, z):
        # what overflows is brought back into the range of its column
        with np.errstate(all="ignore"):
            yield read(w, raw)


def encoder_graph(model: Model) -> Any:
    """The graph of ONNX from cells to the mean of q(z | x)."""
    return graph_of(_mean, model, model.network.width)


def decoder_graph(model: Model) -> Any:
    """That from latent points to the decoder's raw numbers."""
    return graph_of(raw_at, model, model.network.latent_dim)


@takes(ROWS)
def _mean(network: Network, w: dict, x: Any) -> tuple:
    return (network.posterior.mean(w["posterior"], network.encode(w, x, Inference())),)


@takes(ROWS)
def _features(network: Network, w: dict, x: Any) -> tuple:
    return (network.features(w, x),)


@takes(ROWS, BY_ROW)
def _sample(network: Network, w: dict, x: Any, by_row: Any) -> tuple:
    raw, noise = network.encode(w, x, Inference()), ops.transpose(by_row, [1, 0, 2])
    z, _ = network.posterior.sample(w["posterior"], raw, noise)
    return (ops.transpose(z, [1, 0, 2]),)


@takes(LATENT)
def raw_at(network: Network, w: dict, z: Any) -> tuple:
    return (network.decode(w, z, Inference()),)
