"""From the parameter `likelihood` to the likelihood of a column."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from skvae import likelihoods
from skvae._component import known, resolve
from skvae.likelihoods._base import Likelihood

OF_SPARSE = {"count"}  # kinds that columns of other tables do not have


def automatic(kind: str, own: tuple[Likelihood, ...] = ()) -> Likelihood:
    """The likelihood that "auto" gives a column: by the kind of its dtype, not by its values.

    But a sparse table of whole numbers is of one kind, "count" or "boolean".

    One of the caller's own comes before those that are meant for the same kind.
    """
    classes = known(Likelihood, likelihoods).values()
    asked = next((likelihood for likelihood in own if kind in likelihood.auto_for), None)
    return next(cls() for cls in classes if kind in cls.auto_for) if asked is None else asked


def chooser(likelihood: Any) -> Callable[[Any, str], Likelihood]:
    """The function from a column's name and kind to its likelihood, for a parameter."""
    if isinstance(likelihood, list | tuple):
        by_kind = _for_kinds(likelihood)
        return lambda name, kind: by_kind(kind)
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


def _for_kinds(specs: list | tuple) -> Callable[[str], Likelihood]:
    """The function from a column's kind to its likelihood, where some take the place of others."""
    own = tuple(resolve(spec, Likelihood, likelihoods) for spec in specs)
    kinds = [kind for likelihood in own for kind in likelihood.auto_for]
    classes = known(Likelihood, likelihoods).items()
    meant = [name for name, cls in classes if set(cls.auto_for) - OF_SPARSE]
    if len(set(kinds)) < len(kinds) or not all(set(one.auto_for) - OF_SPARSE for one in own):
        raise ValueError(
            f'likelihood={list(own)}, but a list takes the place of what "auto" gives: at most one '
            f"each of {', '.join(sorted(meant))}; name the columns of others in a dict."
        )
    return lru_cache(partial(automatic, own=own))
