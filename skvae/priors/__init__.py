"""Priors: p(z), one class per file."""

from skvae.priors._base import Prior
from skvae.priors._normal import Normal

__all__ = ["Normal", "Prior"]
