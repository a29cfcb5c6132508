"""From the parameter `likelihood` to the likelihood of a column."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from skvae import likelihoods
from skvae._component import known, resolve
from skvae.likelihoods._base import Likelihood


def automatic(kind: str, own: tuple[Likelihood, ...] = ()) -> Likelihood:
    """The likelihood that "auto" gives a column: by the kind of its dtype, never by its values.

    One of the caller's own comes before those that are meant for the same kind.
    """
    classes = known(Likelihood, likelihoods).values()
    asked = next((likelihood for likelihood in own if kind in likelihood.auto_for), None)
    return next(cls() for cls in classes if kind in cls.auto_for) if asked is None else asked


def chooser(likelihood: Any) -> Callable[[Any, str], Likelihood]:
    """The function from a column's name and kind to its likelihood, for a parameter."""
    by_name = likelihood if isinstance(likelihood, dict) else {}
    named = {name: _likelihood(spec) for name, spec in by_name.items()}
    others = _likelihood("auto" if by_name is likelihood else likelihood)
    return lambda name, kind: named.get(name, others)(kind)


def _likelihood(spec: Any) -> Callable[[str], Likelihood]:
    """The function from a column's kind to the likelihood that is asked for."""
    if isinstance(spec, list | tuple):
        return lru_cache(partial(automatic, own=tuple(_meant_for_a_kind(one) for one in spec)))
    if isinstance(spec, str) and spec == "auto":
        return lru_cache(automatic)  # columns share one object: comparing many takes long
    fixed = resolve(spec, Likelihood, likelihoods)
    return lambda kind: fixed


def _meant_for_a_kind(spec: Any) -> Likelihood:
    """One of a list, if "auto" has a kind of columns for its class."""
    likelihood = resolve(spec, Likelihood, likelihoods)
    if likelihood.auto_for:
        return likelihood
    classes = known(Likelihood, likelihoods)
    meant = ", ".join(sorted(name for name, cls in classes.items() if cls.auto_for))
    raise ValueError(
        f'likelihood has {likelihood} in a list, but a list replaces what "auto" gives columns of '
        f"one kind, which are {meant}; name the columns of others in a dict."
    )
