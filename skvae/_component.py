"""Base of everything pluggable, the way from a name to a class, and from a class to its page."""

import pickle
import re
from abc import ABC
from functools import lru_cache
from types import ModuleType
from typing import Any

from sklearn.base import BaseEstimator, clone

# Where the site is: "" while it has no address, and then there is no link. Its build says "..".
SITE = ""
PAGE = "/api/generated/{estimator_module}.{estimator_name}.html"


class Linked:
    """A class with a page on the site, to which its HTML repr and the tooltips in it lead."""

    _doc_link_module = "skvae"

    @property
    def _doc_link_template(self) -> str:
        return SITE and SITE + PAGE


class Component(Linked, BaseEstimator, ABC):
    """A part of the model that holds hyperparameters only and learns nothing itself.

    What a component wants trained lives with the other weights and comes back as the
    argument `w`. So it is cloned, printed and pickled as any scikit-learn estimator, and
    two components with equal hyperparameters are equal: they share one compiled program.
    """

    _parameter_constraints: dict = {}

    def _key(self) -> tuple:
        parameters = self.get_params(deep=False).items()
        return type(self), tuple((name, _hashable(value)) for name, value in parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Component) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def resolve(spec: Any, base: type[Component], room: ModuleType) -> Component:
    """A validated copy of a component given as an object, or made from its name."""
    classes = known(base, room)
    if isinstance(spec, base):
        component = clone(spec)
    elif isinstance(spec, str) and spec in classes:
        component = classes[spec]()
    else:
        raise ValueError(
            f"Unknown {base.__name__.lower()} {spec!r}. Known names: "
            f"{', '.join(sorted(classes))}; or give an object of a subclass of {base.__name__}."
        )
    component._validate_params()
    return component


def expect(what: str, array: Any, shape: tuple, words: str) -> Any:
    """The array, if it has that shape as far as both are known; else a ValueError that names it."""
    given = tuple(array.shape)
    sizes = zip(given, shape, strict=False)
    if len(given) != len(shape) or not all(None in pair or pair[0] == pair[1] for pair in sizes):
        raise ValueError(f"{what} gave an array of shape {given}, but {words} is expected.")
    return array


@lru_cache  # asked whenever scikit-learn reads an estimator's tags
def known(base: type[Component], room: ModuleType) -> dict[str, type[Component]]:
    """The public classes of a room by the names under which users know them."""
    classes = (getattr(room, name) for name in room.__all__)
    return {_snake_case(cls.__name__): cls for cls in classes if cls is not base}


def _hashable(value: Any) -> Any:
    """The value itself, or bytes that tell it apart: arrays and lists may be parameters too."""
    try:
        hash(value)
    except TypeError:
        return pickle.dumps(value)
    return value


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
