"""Encoder, decoder and the few lines that are a Variational Auto-Encoder."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple, Self

import numpy as np

from skvae._component import expect
from skvae._math import ops
from skvae.model._chain import Chain
from skvae.model._joint import Joint
from skvae.model._stack import Inference, Mode, Stack
from skvae.model._weights import merged
from skvae.objectives import Objective
from skvae.objectives._base import given_mean, mean_over_rows
from skvae.posteriors import Posterior
from skvae.priors import Prior


class Q(NamedTuple):
    """The encoder with its posterior, as a prior may call it."""

    encode: Callable  # features (n, n_features) to raw numbers
    sample: Callable  # raw numbers and noise to points and their log-density
    log_prob: Callable  # raw numbers and points to log-density


@dataclass(frozen=True)
class Network:
    """The architecture. Its weights come in as the argument `w` of every method."""

    latent_dim: int
    encoder: Stack
    decoder: Stack
    likelihood: Joint
    prior: Prior
    posterior: Posterior
    objective: Objective
    holes: bool = False  # whether the encoder is told which cells are holes
    chain: Chain | None = None  # cells that see each other, in the place of the decoder's

    @classmethod
    def of(
        cls,
        latent_dim: int,
        stacks: tuple[Callable, Callable],
        likelihood: Joint,
        prior: Prior,
        posterior: Posterior,
        objective: Objective,
        holes: bool = False,
    ) -> Self:
        """The architecture whose encoder and decoder are made to fit between the other parts."""
        n_features = likelihood.n_features() + likelihood.n_cells * holes
        encoder = stacks[0](n_features, posterior.n_raw(latent_dim))
        decoder = stacks[1](latent_dim, likelihood.n_raw())
        return cls(latent_dim, encoder, decoder, likelihood, prior, posterior, objective, holes)

    @property
    def shared(self) -> Self:
        """The first of all equal ones: what is compiled for it is found at once."""
        return self._other or self

    @cached_property
    def _other(self) -> Any:
        first = _first_of_its_kind(self)
        return None if first is self else first

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(self._fields().values()))  # components take long to hash

    def __getstate__(self) -> dict:
        return self._fields()  # another process has other hashes

    def _fields(self) -> dict:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def init(self, rng: np.random.Generator, rows: np.ndarray, constants: dict) -> dict:
        """Random weights to start from, by part; the prior sees the features of some rows."""
        weights = {
            "encoder": self.encoder.init(rng),
            "decoder": self.decoder.init(rng),
            "likelihood": self.likelihood.init(),
            "posterior": self.posterior.init(self.latent_dim, rng),
        }
        if type(self.prior).init is Prior.init:  # features would take longer than all else
            return {**weights, "prior": {}}
        features = ops.convert_to_numpy(self.features(merged(weights, constants), rows))
        return {**weights, "prior": self.prior.init(self.latent_dim, rng, features)}

    @property
    def n_cells(self) -> int:
        return self.likelihood.n_cells

    @property
    def width(self) -> int:
        """Cells of a row that programs are given: those of sums too, where there are any."""
        return self.n_cells if self.chain is None else self.chain.n_cells

    @property
    def numbers_per_draw(self) -> int:
        """What one draw of z takes room for."""
        cells = self.decoder.widest if self.chain is None else self.chain.numbers_per_draw
        return max(cells, self.prior.width(self.latent_dim))

    def cost(self, n_draws: int) -> int:
        """Multiplications for a row with so many draws of z, about."""
        return self.encoder.cost + n_draws * (self.chain or self.decoder).cost

    def features(self, w: dict, x: Any) -> Any:
        """Rows as the encoder sees them, (rows, n_features)."""
        x, holes = self._filled(w, x), _holes(x)
        if self.chain is not None:  # it has cells of sums too
            x, holes = x[..., : self.n_cells], holes[..., : self.n_cells]
        features = self.likelihood.features(w["likelihood"], x, 1.0 - holes)
        return ops.concatenate([features, holes], axis=-1) if self.holes else features

    def encode(self, w: dict, x: Any, mode: Mode) -> Any:
        """The raw numbers of q(z | x), (rows, posterior.n_raw)."""
        return self.encoder.apply(w["encoder"], self.features(w, x), mode, "encoder")

    def decode(self, w: dict, z: Any, mode: Mode) -> Any:
        """The raw numbers of p(x | z), (..., likelihood.n_raw)."""
        raw = self.decoder.apply(
            w["decoder"], ops.reshape(z, (-1, self.latent_dim)), mode, "decoder"
        )
        return ops.reshape(raw, (*ops.shape(z)[:-1], self.decoder.n_out))

    def log_likelihood(self, w: dict, x: Any, z: Any, mode: Mode) -> Any:
        """log p(x | z) of the cells that are no holes, (draws, rows)."""
        if self.chain is not None:
            return self.chained(w, x, z, self.own_order)
        return ops.sum(self.log_prob_of_cells(w, x, z, mode), axis=-1)

    def log_prob_of_cells(self, w: dict, x: Any, z: Any, mode: Mode) -> Any:
        """log p(x | z) of each cell, where these do not see each other, (draws, rows, cells)."""
        filled, raw = self._filled(w, x), self.decode(w, z, mode)
        return self._counts(w, x) * self.likelihood.log_prob(w["likelihood"], filled, raw)

    @property
    def own_order(self) -> np.ndarray:
        """1 where the second of two cells comes first, (cells, cells)."""
        return np.tri(self.n_cells, k=-1, dtype=np.float32)

    def chained(self, w: dict, x: Any, z: Any, before: Any) -> Any:
        """The same in some order: `before` (cells, cells) is 1 where the second comes first."""
        return self.chain.log_likelihood(w["chain"], *self._cells(w, x), z, before)

    def started(self, w: dict, x: Any, z: Any, starts: Any) -> Any:
        """The same of each cell, (draws, rows, cells), from such numbers as `starts` gives."""
        return self.chain.by_cell(w["chain"], *self._cells(w, x), z, self.own_order, starts)[0]

    def starts(self, w: dict, x: Any) -> list:
        """Raw numbers from which cells start, in their own order."""
        before = self.chain.told.before(self.own_order)
        return self.chain.starts(w["chain"], *self._cells(w, x), before)

    def said(self, w: dict, x: Any) -> Any:
        """What the cells of rows tell of them, (cells, rows, STATE); 0 of a hole."""
        return self.chain.said(w["chain"], *self._cells(w, x))

    def log_holes(self, w: dict, x: Any) -> Any:
        """Log-probability of which cells are missing, (rows,): no part of that of the others."""
        holes, chained = self.chain.holes, w["chain"]
        if holes is None:
            return ops.zeros_like(x[:, 0])
        said = ops.stop_gradient(self.said(w, x))
        return holes.log_prob(chained["holes"], self._filled(w, x), said, _holes(x))

    def _cells(self, w: dict, x: Any) -> tuple[Any, Any]:
        """Cells as the chain takes them, and which count."""
        return self._filled(w, x), self._counts(w, x)

    def _counts(self, w: dict, x: Any) -> Any:
        """1 where a cell has a part in the model; 0 in holes and where all rows are alike."""
        return w["cells"]["varies"] * (1.0 - _holes(x))

    def log_prior(self, w: dict, z: Any) -> Any:
        """log p(z), (...,)."""
        return expect(
            f"{self.prior}.log_prob",
            self.prior.log_prob(w["prior"], z, self._q(w)),
            z.shape[:-1],
            "a number for each point, (...,) of (..., d),",
        )

    def prior_sample(self, w: dict, noise: np.ndarray) -> np.ndarray:
        """Draws of p(z) from standard normal noise (n, d), of its shape."""
        drawn = self.prior.sample(w["prior"], noise, self._q(w))
        what = f"{self.prior}.sample"
        return expect(
            what, np.asarray(drawn, np.float32), noise.shape, "a point for each of noise,"
        )

    def terms(self, w: dict, x: Any, noise: Any, mode: Mode) -> tuple[Any, Any, Any, Any]:
        """Draws of z, their log-likelihood and log q/p, (draws, rows), and exact KL, (rows, d)."""
        raw = self.encode(w, x, mode)
        z, log_q = self._draws(w, raw, noise)
        log_ratio = log_q - self.log_prior(w, z)
        return z, self.log_likelihood(w, x, z, mode), log_ratio, self._kl(w, raw)

    def _kl(self, w: dict, raw: Any) -> Any:
        """KL(q || p) of each row and dimension, or None where there is no closed form."""
        return self.prior.kl(w["prior"], self.posterior.moments(w["posterior"], raw))

    def posterior_sample(self, w: dict, x: Any, noise: Any) -> tuple[Any, Any]:
        """Draws of q(z | x) and their log-density, (draws, rows, d) and (draws, rows)."""
        return self._draws(w, self.encode(w, x, Inference()), noise)

    def _draws(self, w: dict, raw: Any, noise: Any) -> tuple[Any, Any]:
        z, log_q = self.posterior.sample(w["posterior"], raw, noise)
        draws = f"of noise of shape {tuple(noise.shape)}"
        what = f"{self.posterior}.sample"
        expect(what, z, noise.shape, f"a point for each draw and row, (draws, rows, d) {draws},")
        words = f"a log-density for each point, (draws, rows) {draws},"
        return z, expect(what, log_q, noise.shape[:-1], words)

    def losses(self, w: dict, x: Any, noise: Any, mode: Mode, betas: Any) -> tuple:
        """The objective's loss of each row at each of two betas, and its terms, (rows,) each.

        They are log-likelihood and KL.
        """
        z, log_lik, kl = self._bound(w, x, noise, mode)
        added, loss = self._auxiliary(w, z, log_lik), given_mean(self.objective.loss)
        return (
            *(sum(added, loss(log_lik, kl, one, mean_over_rows)) for one in ops.unstack(betas, 2)),
            ops.mean(log_lik, axis=0),
            ops.mean(ops.sum(kl, axis=-1), axis=0),
        )

    def validation_losses(self, w: dict, x: Any, noise: Any, n_draws: int, beta: Any) -> Any:
        """The loss that judges each row, (rows,): a mean of such with `n_draws` draws each."""
        z, log_lik, kl = self._bound(w, x, noise, Inference())
        rows = ops.shape(x)[0]
        repeats, d = ops.shape(noise)[0] // n_draws, kl.shape[-1]
        if kl.shape[0] == 1:
            kl = ops.tile(kl, (repeats, 1, 1))
        kl = ops.reshape(kl, (-1, repeats * rows, d))
        groups = ops.reshape(log_lik, (n_draws, repeats * rows))
        loss = given_mean(self.objective.validation_loss)(groups, kl, beta, mean_over_rows)
        loss = ops.reshape(loss + ops.zeros_like(groups[0]), (repeats, rows))
        return sum(self._auxiliary(w, z, log_lik), ops.mean(loss, axis=0))

    def _bound(self, w: dict, x: Any, noise: Any, mode: Mode) -> tuple[Any, Any, Any]:
        """Draws of z, and what an objective is made of: log-likelihood, (draws, rows), and KL.

        The KL is that of each dimension, (1, rows, d), where a closed form serves, or else that of
        each draw, (draws, rows, 1).
        """
        raw = self.encode(w, x, mode)
        z, log_q = self._draws(w, raw, noise)
        log_lik, kl = self.log_likelihood(w, x, z, mode), self._kl(w, raw)
        if self.objective.by_dimension and kl is None:
            raise ValueError(
                f"objective={self.objective} needs a KL term of each latent dimension, but prior="
                f"{self.prior} and posterior={self.posterior} have none in closed form; use prior="
                "'normal' and posterior='gaussian', or another objective."
            )
        closed_form = self.objective.closed_form_kl and kl is not None
        return z, log_lik, kl[None] if closed_form else (log_q - self.log_prior(w, z))[..., None]

    def _auxiliary(self, w: dict, z: Any, log_lik: Any) -> list:
        """What the prior adds to the loss of each row, (rows,), if it does."""
        added = self.prior.auxiliary_loss(w["prior"], z)
        nothing = isinstance(added, float) and added == 0.0
        return [] if nothing else [ops.mean(added + ops.zeros_like(log_lik), axis=0)]

    def _q(self, w: dict) -> Q:
        encode = partial(self.encoder.apply, w["encoder"], mode=Inference(), part="encoder")
        return Q(
            encode,
            partial(self.posterior.sample, w["posterior"]),
            partial(self.posterior.log_prob, w["posterior"]),
        )

    def _filled(self, w: dict, x: Any) -> Any:
        """Holes filled inside the support: what is masked may not be NaN, nor its gradient."""
        return ops.where(ops.isnan(x), w["cells"]["filler"], x)


@lru_cache(maxsize=32)
def _first_of_its_kind(network: Network) -> Network:
    return network


def _holes(x: Any) -> Any:
    """1 where a cell is a hole, else 0."""
    return ops.cast(ops.isnan(x), "float32")
