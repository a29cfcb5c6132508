"""The state of an estimator as plain data: what skops, pickle and their like keep of it."""

import copyreg
import json
from collections import Counter
from copy import copy
from dataclasses import replace
from hashlib import sha256
from inspect import isabstract
from reprlib import repr as short
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skvae import likelihoods, objectives, posteriors, priors, schedules
from skvae._component import Linked
from skvae._fits import check_fit
from skvae._plain import Beside, tree_of, value_of
from skvae._version import __version__
from skvae.model import KerasStack

FORMAT = 1
KEYS = {
    "format": int,
    "skvae": str,  # its version
    "parameters": str,  # JSON, as what was learned
    "learned": str,
    "arrays": list,
    "small": dict,  # arrays that hold many, by dtype
    "objects": list,  # of someone else's classes
    "sha256": str,
}
WRONG = ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError
PLUGGABLE = likelihoods, objectives, posteriors, priors, schedules


class Kept(Linked):
    """An estimator that is kept as plain data.

    Objects of someone else's, such as a function that builds layers, are beside the data: pickle
    keeps them in its own way, and skops asks whether they are trusted. It is given the
    configuration of Keras' own layers in the place of the function that built them.
    """

    def __getstate__(self) -> dict:
        return state_of(self, _without_functions(vars(self)))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        new = copyreg.__newobj__  # type: ignore[attr-defined]  # as pickle has it
        return new, (type(self),), state_of(self, vars(self))

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        vars(new).update(vars(self))
        return new

    def __setstate__(self, state: dict) -> None:
        vars(self).update(attributes(state, self))


def trusted_types() -> list[str]:
    """The classes of this package that `skops.io.load` meets in a file, for its `trusted`.

    Estimators, and components, which may stand in grids of parameters. All else that they hold is
    plain data. What is of your own, such as a likelihood, or a function that builds layers, has to
    be added by its name, and so have callbacks, if there are any.

    Returns
    -------
    names : list of str
        Of classes, with their modules.

    Examples
    --------
    >>> import skops.io
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer, trusted_types
    >>> vae = VAETransformer(max_iter=5, random_state=0).fit(load_iris().data)
    >>> data = skops.io.dumps(vae)
    >>> skops.io.loads(data, trusted=trusted_types())
    VAETransformer(max_iter=5, random_state=0)
    """
    components = (getattr(room, name) for room in PLUGGABLE for name in room.__all__)
    classes = [*Kept.__subclasses__(), *(kind for kind in components if not isabstract(kind))]
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in classes)


def state_of(estimator: BaseEstimator, values: dict) -> dict:
    """The state of an estimator with these attributes."""
    beside, asked = Beside([], {}, [], Counter()), estimator._get_param_names()
    parameters = {name: value for name, value in values.items() if name in asked}
    learned = {name: value for name, value in values.items() if name not in asked}
    texts = [_text(tree_of(part, beside)) for part in (parameters, learned)]
    parts = FORMAT, __version__, *texts, beside.arrays, beside.joined(), beside.objects
    state = dict(zip(KEYS, parts, strict=False))
    return state | {"sha256": _digest(state)}


def attributes(state: dict, estimator: BaseEstimator) -> dict:
    """The attributes that a state stands for, or a ValueError that says what is wrong with it."""
    try:
        _check_state(state)
        parameters, learned = _parts(state)
        if sorted(parameters) != estimator._get_param_names():
            raise ValueError(f"has the parameters {short(sorted(parameters))}")
        check_fit(learned)
    except (*WRONG, ValueError) as error:
        why = error if isinstance(error, ValueError) else f"cannot be read: {error!r}"
        raise ValueError(
            f"This state of a {type(estimator).__name__} {why}; it was damaged or made by another "
            "version: save the model again."
        ) from error
    return parameters | learned


def _parts(state: dict) -> tuple[dict, dict]:
    """Parameters, which may be any, and what was learned."""
    beside = Beside(state["arrays"], state["small"], state["objects"], Counter())
    texts = json.loads(state["parameters"]), json.loads(state["learned"])
    return value_of(texts[0], beside._replace(checks=False)), value_of(texts[1], beside)


def _check_state(state: Any) -> None:
    """Raise a ValueError if a state was damaged."""
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError("has no format number, but one of this version's states is expected")
    if state["format"] != FORMAT:
        raise ValueError(f"has the format {short(state['format'])}, but {FORMAT} is expected")
    for name in {*KEYS, *state}:
        found, expected = type(state.get(name)), KEYS.get(name)
        if found is not expected:
            raise ValueError(f"has {short(name)} of type {found.__name__}")
    if not all(isinstance(array, np.ndarray) for array in _arrays(state)):
        raise ValueError("has something else among its arrays")
    if _digest(state) != state["sha256"]:
        raise ValueError("has another SHA-256 than it tells")


def _text(tree: Any) -> str:
    return json.dumps(tree, separators=(",", ":"))


def _digest(state: dict) -> str:
    """The SHA-256 of all of a state but objects of someone else's."""
    told = [state[name] for name in ("format", "skvae", "parameters", "learned")]
    told += [list(state["small"]), *((array.dtype.str, array.shape) for array in _arrays(state))]
    digest = sha256(json.dumps(told).encode())
    for array in _arrays(state):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _arrays(state: dict) -> list:
    return [*state["arrays"], *state["small"].values()]


def _without_functions(values: dict) -> dict:
    """Attributes with the configuration of Keras' own layers in the place of functions."""
    if "vae_" in values and values.get("vae") is not None:
        return values | {"vae": _configured(values["vae"], values["vae_"])}
    if "_model" not in values:
        return values
    model, stacks = values["_model"], _stacks_of(values)
    network = replace(model.network, **stacks)
    builds = {name: stack.build for name, stack in stacks.items()}
    return values | builds | {"_model": model._replace(network=network)}


def _stacks_of(values: dict) -> dict:
    """Of a fitted model the networks that a function built, by their configuration."""
    network = values["_model"].network
    stacks = {name: getattr(network, name) for name in ("encoder", "decoder")}
    return {
        name: stack.by_configuration()
        for name, stack in stacks.items()
        if isinstance(stack, KerasStack) and stack.build is values[name]
    }


def _configured(vae: BaseEstimator, fitted: BaseEstimator) -> BaseEstimator:
    """A model that is yet to be fitted, with what was built for a fitted one like it."""
    if "_model" not in vars(fitted):
        return vae
    own, new = vars(fitted), copy(vae)
    stacks = _stacks_of(own)
    builds = {name: stack.build for name, stack in stacks.items() if own[name] is vars(vae)[name]}
    vars(new).update(builds)
    return new
