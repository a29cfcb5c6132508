"""Base of everything pluggable, and the way from a name to a class."""

import re
from types import ModuleType
from typing import Any

from sklearn.base import BaseEstimator, clone


class Component(BaseEstimator):
    """A part of the model that holds hyperparameters only and learns nothing itself.

    What a component wants trained lives with the other weights and comes back as the
    argument `w`. So it is cloned, printed and pickled as any scikit-learn estimator, and
    two components with equal hyperparameters are equal: they share one compiled program.
    """

    _parameter_constraints: dict = {}

    def _key(self) -> tuple:
        return type(self), tuple(sorted(self.get_params(deep=False).items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Component) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def resolve(spec: Any, base: type[Component], room: ModuleType) -> Component:
    """A validated copy of a component given as an object, or made from its name."""
    component = clone(spec) if isinstance(spec, base) else _class_named(spec, base, room)()
    component._validate_params()
    return component


def names(base: type[Component], room: ModuleType) -> list[str]:
    """The names under which the public classes of a room are known."""
    return sorted(_known(base, room))


def _class_named(name: Any, base: type[Component], room: ModuleType) -> type[Component]:
    known = _known(base, room)
    if isinstance(name, str) and name in known:
        return known[name]
    kind = base.__name__.lower()
    raise ValueError(
        f"Unknown {kind} {name!r}. Known names: {', '.join(sorted(known))}; or give a {base.__name__} object."
    )


def _known(base: type[Component], room: ModuleType) -> dict[str, type[Component]]:
    classes = (getattr(room, name) for name in room.__all__)
    return {_snake_case(cls.__name__): cls for cls in classes if cls is not base}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
