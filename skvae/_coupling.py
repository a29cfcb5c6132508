"""Affine coupling: invertible maps of latent points; each layer moves a half given the other.

Dinh, Sohl-Dickstein, Bengio (2017). Density Estimation using Real NVP.
"""

from typing import Any

import numpy as np

from skvae._math import ops

STEEPEST = 2.0  # log of the largest stretch in a layer


def init(
    n_layers: int, latent_dim: int, n_context: int, units: int, rng: np.random.Generator
) -> list[dict]:
    """Weights of layers that begin as the identity."""
    n_in = latent_dim // 2 + n_context
    n_out = 2 * (latent_dim - latent_dim // 2)
    limit = (6 / (n_in + units)) ** 0.5
    return [
        {
            "inner": rng.uniform(-limit, limit, (n_in, units)).astype(np.float32),
            "inner_bias": np.zeros(units, np.float32),
            "outer": np.zeros((units, n_out), np.float32),
            "outer_bias": np.zeros(n_out, np.float32),
        }
        for _ in range(n_layers)
    ]


def forward(layers: list[dict], z: Any, context: Any = None) -> tuple[Any, Any]:
    """Points moved, (..., d), and the log of how much each layer stretches there, (...,)."""
    z, context = _together(z, context)
    log_stretch = 0.0
    for layer in layers:
        n = z.shape[-1] // 2
        kept, moved = z[..., :n], z[..., n:]
        shift, log_scale = _affine(layer, kept, context)
        z = ops.concatenate(
            [moved * ops.exp(log_scale) + shift, kept], axis=-1
        )  # the next layer keeps what has moved
        log_stretch += ops.sum(log_scale, axis=-1)
    return z, log_stretch


def inverse(layers: list[dict], z: Any, context: Any = None) -> tuple[Any, Any]:
    """Points that `forward` takes to z, (..., d), and the log of its stretch there, (...,)."""
    z, context = _together(z, context)
    log_stretch = 0.0
    for layer in reversed(layers):
        n = z.shape[-1] - z.shape[-1] // 2
        moved, kept = z[..., :n], z[..., n:]
        shift, log_scale = _affine(layer, kept, context)
        z = ops.concatenate([kept, (moved - shift) * ops.exp(-log_scale)], axis=-1)
        log_stretch += ops.sum(log_scale, axis=-1)
    return z, log_stretch


def _together(z: Any, context: Any) -> tuple[Any, Any]:
    """Points and context with the same leading axes."""
    if context is None:
        return z, None
    zeros = 0.0 * (z[..., :1] + context[..., :1])
    return z + zeros, context + zeros


def _affine(layer: dict, kept: Any, context: Any) -> tuple[Any, Any]:
    """Shift and log-scale of the moved half."""
    inputs = kept if context is None else ops.concatenate([kept, context], axis=-1)
    flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
    inner = ops.tanh(flat @ layer["inner"] + layer["inner_bias"])
    outer = inner @ layer["outer"] + layer["outer_bias"]
    shift, log_scale = ops.split(
        ops.reshape(outer, (*ops.shape(inputs)[:-1], outer.shape[-1])), 2, axis=-1
    )
    return shift, STEEPEST * ops.tanh(log_scale * (1 / STEEPEST))
