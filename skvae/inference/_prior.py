"""The prior of a trained model."""

from typing import Any

import numpy as np

from skvae.engine import LATENT, enter, takes
from skvae.inference._blocks import HEIGHT, by_row
from skvae.inference._encode import posterior_sample
from skvae.model import Model, Network
from skvae.priors import Fitted
from skvae.table import Cells

FITTED_ROWS = 20_000  # training rows behind a prior that is fitted after training


def prior_sample(model: Model, noise: np.ndarray) -> np.ndarray:
    """Latent points of the prior made from standard normal noise, of its shape."""
    enter()
    return np.array(model.network.prior_sample(model.learned(), noise))


def log_prior(model: Model, z: np.ndarray) -> np.ndarray:
    """log p(z) of latent points (draws, d), (draws,)."""
    return by_row(_log_prior, model, HEIGHT, z)[0].astype(np.float64)


def trainable(model: Model) -> Model:
    """The model as training goes by it: with its prior, and cells that do not see each other."""
    prior, model = model.network.prior, model.without_chain()
    return model if prior.in_training == prior else model.with_prior(prior.in_training, {})


def finished(model: Model, prior: Any, x: Cells, rng: np.random.Generator) -> Model:
    """A trained model with the prior asked for, fitted to some training rows if need be."""
    if prior == model.network.prior:
        return model
    some = x.take(rng.permutation(len(x))[:FITTED_ROWS])
    noise = rng.standard_normal((1, len(some), model.network.latent_dim), np.float32)
    z = posterior_sample(model, some, noise)[0]
    return model.with_prior(prior, prior.fitted(z, int(rng.integers(2**31))))


def refitted(model: Model, x: Cells, held_out: Cells | None, rng: np.random.Generator) -> Model:
    """The model with a prior fitted to where its points lie, if that suits rows held out better."""
    other = finished(model, Fitted(), x, rng)
    if held_out is None:
        return other
    noise = rng.standard_normal((1, len(held_out), model.network.latent_dim), np.float32)
    z = posterior_sample(model, held_out, noise)[0]
    return max((model, other), key=lambda one: log_prior(one, z).mean())


@takes(LATENT)
def _log_prior(network: Network, w: dict, z: Any) -> tuple:
    return (network.log_prior(w, z),)
