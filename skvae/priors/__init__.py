"""Priors: p(z), one class per file."""

from skvae.priors._base import Prior
from skvae.priors._mixture import Mixture
from skvae.priors._normal import Normal

__all__ = ["Mixture", "Normal", "Prior"]
