"""From the parameter `likelihood` to the likelihood of a column."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from skvae import likelihoods
from skvae._component import known, resolve
from skvae.likelihoods._base import Likelihood


def automatic(kind: str) -> Likelihood:
    """The likelihood that "auto" gives a column: by the kind of its dtype, never by its values."""
    classes = known(Likelihood, likelihoods).values()
    return next(cls() for cls in classes if kind in cls.auto_for)


def chooser(likelihood: Any) -> Callable[[Any, str], Likelihood]:
    """The function from a column's name and kind to its likelihood, for a parameter."""
    by_name = likelihood if isinstance(likelihood, dict) else {}
    named = {name: _likelihood(spec) for name, spec in by_name.items()}
    others = _likelihood("auto" if by_name is likelihood else likelihood)
    return lambda name, kind: named.get(name, others)(kind)


def _likelihood(spec: Any) -> Callable[[str], Likelihood]:
    """The function from a column's kind to the likelihood that is asked for."""
    if isinstance(spec, str) and spec == "auto":
        return lru_cache(automatic)  # columns share one object: comparing many takes long
    fixed = resolve(spec, Likelihood, likelihoods)
    return lambda kind: fixed
