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
REFITTED_ROWS = 40_000  # the same of one that takes the place of the prior that was trained
NUMBERS, MOST_COMPONENTS = 50, 100  # latent numbers for each of its arrays, and Gaussians in all
LOSS = 0.1  # nats that it may lose to the one that was trained


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


def finished(
    model: Model, prior: Any, x: Cells, rng: np.random.Generator, most: int = FITTED_ROWS
) -> Model:
    """A trained model with the prior asked for, fitted to some training rows if need be."""
    if prior == model.network.prior:
        return model
    some = x.take(rng.permutation(len(x))[:most])
    noise = rng.standard_normal((1, len(some), model.network.latent_dim), np.float32)
    z = posterior_sample(model, some, noise)[0]
    return model.with_prior(prior, prior.fitted(z, int(rng.integers(2**31))))


def refitted(model: Model, x: Cells, held_out: Cells | None, rng: np.random.Generator) -> Model:
    """The model with a prior fitted to where its points lie, unless held-out rows lose by that.

    Its moments are those of the points, which training by small steps comes only near to: what
    that does to the shares of each column costs so few nats that the rows cannot tell.
    """
    prior = Fitted(_n_components(len(x), model.network.latent_dim))
    other = finished(model, prior, x, rng, REFITTED_ROWS)
    if held_out is None:
        return other
    noise = rng.standard_normal((1, len(held_out), model.network.latent_dim), np.float32)
    z = posterior_sample(model, held_out, noise)[0]
    gain = log_prior(other, z).mean() - log_prior(model, z).mean()
    return other if gain > -LOSS else model


def _n_components(n_rows: int, latent_dim: int) -> int:
    """Of a mixture with full covariances that has rows enough for its arrays."""
    arrays = latent_dim * (latent_dim + 3) / 2 + 1
    enough = min(n_rows, REFITTED_ROWS) * latent_dim / (NUMBERS * arrays)
    return int(max(1, min(MOST_COMPONENTS, enough)))


@takes(LATENT)
def _log_prior(network: Network, w: dict, z: Any) -> tuple:
    return (network.log_prior(w, z),)
