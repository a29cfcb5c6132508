"""Whether learned attributes belong together: the last check of a state from elsewhere."""

import json
from math import prod
from reprlib import repr as short
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skvae._component import Component
from skvae._plain import is_of, is_plain
from skvae.model import Chain, DenseStack, Joint, KerasStack, Model, Nest, Network
from skvae.posteriors import Posterior
from skvae.priors import Prior
from skvae.table import Aside, Codec

LEARNED = {
    "_codec": Codec,
    "_model": Model,
    "_slots": tuple[str, tuple] | None,
    "_aside": Aside,
    "vae_": BaseEstimator,
    "offset_": float,
    "n_features_in_": int,
    "feature_names_in_": np.ndarray,
    "likelihood_": dict,
    "prior_": Prior,
    "posterior_": Posterior,
    "history_": dict[str, np.ndarray],
    "n_iter_": int,
    "_n_steps": int,
    "best_iter_": int,
    "lower_bound_": float,
    "latent_kl_": np.ndarray,
}
OF_A_MODEL = {*LEARNED} - {"_aside", "vae_", "offset_", "feature_names_in_"}


def check_fit(learned: dict) -> None:
    """Raise a ValueError where learned attributes do not fit together."""
    if {"_model", "_codec"} & learned.keys():
        _check_types(learned, OF_A_MODEL)
        _check_model(learned)
    if "vae_" in learned:
        _check_types(learned, {"vae_"})
        _expect("_model" in vars(learned["vae_"]), "has a vae_ that is no fitted model")


def _check_types(learned: dict, names: set) -> None:
    missing = sorted(names - learned.keys())
    _expect(not missing, f"lacks {', '.join(missing)}")
    for name in LEARNED.keys() & learned.keys():
        _expect(is_of(learned[name], LEARNED[name]), f"has a {name} of another type")


def _check_model(learned: dict) -> None:
    codec, model = learned["_codec"], learned["_model"]
    _check_columns(codec, learned)
    _check_epochs(learned)
    _check_vector(model.layout.weights, model.weights)
    _check_vector(model.layout.constants, model.constants)
    _check_network(model.network, codec)
    _check_shapes(model, codec)


def _check_columns(codec: Codec, learned: dict) -> None:
    """That parts tell of as many columns, on scales that are some."""
    names = codec.frame.names
    columns = {len(names), len(codec.features), learned["n_features_in_"]}
    _expect(len(columns) == 1, "has other numbers of columns in its parts")
    _expect(learned["likelihood_"].keys() == {*names}, "has likelihoods of other columns")
    scaled = all(0 < f.scale < np.inf and abs(f.center) < np.inf for f in codec.features)
    _expect(scaled, "has scales that are none")


def _check_epochs(learned: dict) -> None:
    """That curves are as long as training was."""
    n, best = learned["n_iter_"], learned["best_iter_"]
    epochs = {len(curve) for curve in learned["history_"].values()}
    _expect(epochs == {n} and 0 <= best <= n, "has curves of another number of epochs")


def _expect(fits: bool, wrong: str) -> None:
    if not fits:
        raise ValueError(wrong)


def _check_vector(nest: Nest, vector: np.ndarray) -> None:
    """That a vector is as long as the arrays in it, and holds numbers."""
    _expect(vector.dtype == np.float32 and vector.ndim == 1, "has weights of another dtype")
    _expect(nest.size == len(vector), "has another number of weights than its layout says")
    _expect(bool(np.isfinite(vector).all()), "has weights that are no numbers")
    _expect(all(n >= 0 for shape in nest.shapes for n in shape), "has shapes that are none")
    numbers = _leaves(json.loads(nest.structure))
    _expect(numbers == list(range(len(nest.shapes))), "has a layout that is none")


def _leaves(nest: Any) -> list:
    inner = nest.values() if isinstance(nest, dict) else nest if isinstance(nest, list) else None
    return [nest] if inner is None else [leaf for one in inner for leaf in _leaves(one)]


def _check_network(network: Network, codec: Codec) -> None:
    """That the network is one for the columns."""
    joint, d = network.likelihood, network.latent_dim
    _expect(joint == Joint(codec.kinds, codec.sizes), "has a network for other columns")
    n_features = joint.n_features() + joint.n_cells * network.holes
    ends = [(stack.n_in, stack.n_out) for stack in (network.encoder, network.decoder)]
    expected = [(n_features, network.posterior.n_raw(d)), (d, joint.n_raw())]
    _expect(ends == expected, "has an encoder or a decoder of other sizes")
    _expect(network.width == codec.width, "has other cells")
    if network.chain is not None:
        _check_chain(network.chain, d, codec)


def _check_chain(chain: Chain, latent_dim: int, codec: Codec) -> None:
    """That the cells that see each other are those of the columns and their sums."""
    columns = [*codec.columns(), *codec.sums.columns()]
    holed = chain.holes.cells if chain.holes else ()
    expected = Chain.of(latent_dim, chain.joint, columns, holed, codec.sums.telling())
    n_kinds = len(codec.kinds)
    own = chain.joint.likelihoods[:n_kinds], chain.joint.sizes[:n_kinds]
    _expect(own == (codec.kinds, codec.sizes) and chain == expected, "has a chain of other cells")


def _check_shapes(model: Model, codec: Codec) -> None:
    """That arrays have the shapes in which the network starts."""
    arrays, constants = model.layout.weights.unpack(model.weights), model.learned()["cells"]
    sizes = [np.shape(array) for array in constants.values()]
    _expect(set(sizes) == {(codec.width,)}, "has fillers of other cells")
    expected = _started(model.network, len(model.weights))
    _expect(expected.keys() == arrays.keys(), "has weights of other parts")
    own = {name: arrays[name] if part is None else part for name, part in expected.items()}
    _expect(Nest.of(own)[0] == model.layout.weights, "has weights of other shapes")


def _started(network: Network, most: int) -> dict:
    """Arrays of each part at their first values, of which no number may be above `most`.

    None of what is of someone else's.
    """
    rng, d = np.random.default_rng(0), network.latent_dim
    n_features, chain = network.encoder.n_in, network.chain
    starts = {
        "encoder": (network.encoder, rng),
        "decoder": (network.decoder, rng),
        "likelihood": (network.likelihood,),
        "posterior": (network.posterior, d, rng),
        "prior": (network.prior, d, rng, np.zeros((1, n_features), np.float32)),
        **({} if chain is None else {"chain": (chain, rng)}),
    }
    return {name: _started_part(*start, most=most) for name, start in starts.items()}


def _started_part(part: Any, *arguments: Any, most: int) -> Any:
    kind: Any = type(part)
    if isinstance(part, KerasStack) or not is_plain(kind):
        return None
    own = part.get_params(deep=False).values() if isinstance(part, Component) else ()
    sizes = [abs(n) for n in own if isinstance(n, int)]
    d = arguments[0] if arguments and isinstance(arguments[0], int) else 1
    cost = part.cost if isinstance(part, DenseStack) else 0
    takes = max(d * max(sizes, default=1), prod(sizes), cost)
    _expect(takes <= 2 * most, f"has no room for {short(part)}")
    return part.init(*arguments)
