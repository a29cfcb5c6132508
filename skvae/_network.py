"""Encoder, decoder and the few lines that are a Variational Auto-Encoder."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple, Self

import keras
import numpy as np
from keras import ops

from skvae._component import expect
from skvae._layers import Inference
from skvae._math import in_parts
from skvae._memory import aligned
from skvae.table import Cells, Dense

SHOWN = 1024  # rows that a prior sees before training


class Q(NamedTuple):
    """The encoder with its posterior, as a prior may call it."""

    encode: Callable  # features (n, n_features) to raw numbers
    sample: Callable  # raw numbers and noise to points and their log-density
    log_prob: Callable  # raw numbers and points to log-density


@dataclass(frozen=True)
class Network:
    """The architecture. Its weights come in as the argument `w` of every method."""

    latent_dim: int
    encoder: Any
    decoder: Any
    likelihood: Any
    prior: Any
    posterior: Any
    objective: Any
    holes: bool = False  # whether the encoder is told which cells are holes

    @classmethod
    def of(
        cls,
        latent_dim: int,
        encoder: Callable,
        decoder: Callable,
        likelihood: Any,
        prior: Any,
        posterior: Any,
        objective: Any,
        holes: bool = False,
    ) -> Self:
        """The architecture whose encoder and decoder are made to fit between the other parts."""
        n_features = likelihood.n_features() + likelihood.n_cells * holes
        layers = (
            encoder(n_features, posterior.n_raw(latent_dim)),
            decoder(latent_dim, likelihood.n_raw()),
        )
        return _first_of_its_kind(
            cls(latent_dim, *layers, likelihood, prior, posterior, objective, holes)
        )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(self._fields().values()))  # components take long to hash

    def __getstate__(self) -> dict:
        return self._fields()  # another process has other hashes

    def _fields(self) -> dict:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def init(self, rng: np.random.Generator, x: Cells, constants: dict) -> dict:
        """Random weights to start training from: NumPy arrays by part."""
        weights = {
            "encoder": self.encoder.init(rng),
            "decoder": self.decoder.init(rng),
            "likelihood": self.likelihood.init(),
            "posterior": self.posterior.init(self.latent_dim, rng),
        }
        some = x[np.linspace(0, len(x) - 1, min(len(x), SHOWN)).astype(np.intp)]
        features = ops.convert_to_numpy(self.features(_merged(weights, constants), some))
        return {**weights, "prior": self.prior.init(self.latent_dim, rng, features)}

    def constants(self, x: Cells, columns: list, varies: np.ndarray) -> dict:
        """What is learned once from the encoded rows: NumPy arrays by part."""
        complete = x.filled()
        cells = {
            "varies": varies.astype(np.float32),
            "filler": complete.mean(),
        }  # no row's own cells
        return {"likelihood": self.likelihood.constants(complete, columns), "cells": cells}

    @property
    def n_cells(self) -> int:
        return self.likelihood.n_cells

    @property
    def numbers_per_draw(self) -> int:
        """What one draw of z takes room for."""
        return max(self.decoder.widest, self.prior.width(self.latent_dim))

    def features(self, w: dict, x: Any) -> Any:
        """Rows as the encoder sees them, (rows, n_features)."""
        features = self.likelihood.features(w["likelihood"], self._filled(w, x), 1.0 - _holes(x))
        return ops.concatenate([features, _holes(x)], axis=-1) if self.holes else features

    def encode(self, w: dict, x: Any, mode: Any) -> Any:
        """The raw numbers of q(z | x), (rows, posterior.n_raw)."""
        return self.encoder.apply(w["encoder"], self.features(w, x), mode, "encoder")

    def decode(self, w: dict, z: Any, mode: Any) -> Any:
        """The raw numbers of p(x | z), (..., likelihood.n_raw)."""
        raw = self.decoder.apply(
            w["decoder"], ops.reshape(z, (-1, self.latent_dim)), mode, "decoder"
        )
        return ops.reshape(raw, (*ops.shape(z)[:-1], self.decoder.n_out))

    def log_likelihood(self, w: dict, x: Any, z: Any, mode: Any) -> Any:
        """log p(x | z) of the cells that are no holes, (draws, rows)."""
        cells = self.likelihood.log_prob(
            w["likelihood"], self._filled(w, x), self.decode(w, z, mode)
        )
        return ops.sum(w["cells"]["varies"] * (1.0 - _holes(x)) * cells, axis=-1)

    def log_prior(self, w: dict, z: Any) -> Any:
        """log p(z), (...,)."""
        log_prob = self.prior.log_prob(w["prior"], z, self._q(w))
        return expect(
            f"{self.prior}.log_prob",
            log_prob,
            z.shape[:-1],
            "a number for each point, (...,) of (..., d),",
        )

    def prior_sample(self, w: dict, noise: np.ndarray) -> np.ndarray:
        """Draws of p(z) from standard normal noise (n, d), of its shape."""
        return self.prior.sample(w["prior"], noise, self._q(w))

    def terms(self, w: dict, x: Any, noise: Any, mode: Any) -> tuple[Any, Any, Any, Any]:
        """Draws of z, their log-likelihood and log q/p, (draws, rows), and the KL in closed form, (rows, d)."""
        raw = self.encode(w, x, mode)
        z, log_q = self.posterior.sample(w["posterior"], raw, noise)
        log_ratio = log_q - self.log_prior(w, z)
        kl = self.prior.kl(w["prior"], self.posterior.moments(w["posterior"], raw))
        return z, self.log_likelihood(w, x, z, mode), log_ratio, kl

    def losses(
        self, w: dict, x: Any, noise: Any, mode: Any, beta: Any, *, validation: bool = False
    ) -> tuple[Any, Any, Any]:
        """The objective's loss of each row, and the log-likelihood and KL it is made of, (rows,) each."""
        z, log_lik, log_ratio, kl = self.terms(w, x, noise, mode)
        if self.objective.by_dimension and kl is None:
            raise ValueError(
                f"objective={self.objective} needs a KL term of each latent dimension, but prior={self.prior} and "
                f"posterior={self.posterior} have none in closed form; use prior='normal' and posterior='gaussian', "
                "or another objective."
            )
        closed_form = self.objective.closed_form_kl and kl is not None
        kl = kl[None] if closed_form else log_ratio[..., None]
        loss = (self.objective.validation_loss if validation else self.objective.loss)(
            log_lik, kl, beta
        )
        loss += ops.mean(self.prior.auxiliary_loss(w["prior"], z) + 0.0 * log_lik, axis=0)
        return loss, ops.mean(log_lik, axis=0), ops.mean(ops.sum(kl, axis=-1), axis=0)

    def _q(self, w: dict) -> Q:
        encode = partial(self.encoder.apply, w["encoder"], mode=Inference(), part="encoder")
        return Q(
            encode,
            partial(self.posterior.sample, w["posterior"]),
            partial(self.posterior.log_prob, w["posterior"]),
        )

    def _filled(self, w: dict, x: Any) -> Any:
        """Holes filled with a value inside the support: what is masked may not be NaN, nor its gradient."""
        return ops.where(ops.isnan(x), w["cells"]["filler"], x)


@lru_cache(maxsize=32)
def _first_of_its_kind(network: Network) -> Network:
    """One object for equal architectures: what is cached for it is found at once."""
    return network


def pack(arrays: dict) -> np.ndarray:
    """All the arrays of a nested dict as one vector."""
    leaves = [leaf.ravel() for leaf in keras.tree.flatten(arrays)]
    return np.concatenate(leaves, out=aligned((sum(map(len, leaves)),)), casting="same_kind")


def cut(vector: Any, like: dict) -> list:
    """The arrays that `pack` made a vector of, NumPy's or tensors as that is; `like` has their shapes."""
    shapes = [leaf.shape for leaf in keras.tree.flatten(like)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    if isinstance(vector, np.ndarray):
        return list(map(np.reshape, np.split(vector, np.cumsum(sizes[:-1])), shapes))
    return list(map(ops.reshape, in_parts(vector, sizes), shapes))


def unpack(vector: Any, like: dict) -> dict:
    """The nested dict that `pack` made a vector of; `like` has its shapes."""
    return keras.tree.pack_sequence_as(like, cut(vector, like))


@lru_cache(maxsize=32)
def _shapes(network: Network) -> tuple[dict, dict]:
    """Arrays without memory of their own, of the shapes of the weights and of the constants."""
    x = Dense(np.zeros((1, network.n_cells), np.float32))
    with np.errstate(all="ignore"):  # zeros may lie outside of the support; only shapes matter
        constants = network.constants(
            x, network.likelihood.some_columns(), np.ones(network.n_cells)
        )
        weights = network.init(np.random.default_rng(0), x, constants)
    return keras.tree.map_structure(_hollow, weights), keras.tree.map_structure(_hollow, constants)


def n_weights(network: Network) -> int:
    """The length of the vector of weights."""
    return sum(leaf.size for leaf in keras.tree.flatten(_shapes(network)[0]))


def arrays_of(network: Network, vector: Any) -> list:
    """The arrays in a vector of weights."""
    return cut(vector, _shapes(network)[0])


def _hollow(array: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.float32(0), array.shape)


def reader(network: Network) -> Callable[[Any, Any], dict]:
    """The function that turns weights (a vector, or a list of arrays) and constants into the argument `w`."""
    like, like_constants = _shapes(network)

    def read(weights: Any, constants: Any) -> dict:
        arrays = weights if isinstance(weights, list) else cut(weights, like)
        return _merged(keras.tree.pack_sequence_as(like, arrays), unpack(constants, like_constants))

    return read


def _merged(weights: dict, constants: dict) -> dict:
    """The argument `w`: what is trained, beside what was learned once."""
    own = {
        i: {**arrays, **constants["likelihood"][i]} for i, arrays in weights["likelihood"].items()
    }
    return {**weights, "likelihood": own, "cells": constants["cells"]}


def with_prior(
    network: Network, vector: np.ndarray, prior: Any, arrays: dict
) -> tuple[Network, np.ndarray]:
    """The network with another prior, and the vector of weights with the arrays of that one."""
    weights = unpack(vector, _shapes(network)[0])
    return replace(network, prior=prior), pack(weights | {"prior": arrays})


def with_states(network: Network, vector: Any, states: dict) -> Any:
    """The vector of weights with the new states of some parts."""
    weights = unpack(vector, _shapes(network)[0])
    weights |= {part: {**weights[part], "state": state} for part, state in states.items()}
    return ops.concatenate([ops.reshape(leaf, (-1,)) for leaf in keras.tree.flatten(weights)])


def _holes(x: Any) -> Any:
    """1 where a cell is a hole, else 0."""
    return ops.cast(ops.isnan(x), "float32")
