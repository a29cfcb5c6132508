"""Priors: p(z), one class per file."""

from skvae.priors._base import Prior
from skvae.priors._fitted import Fitted
from skvae.priors._flow import Flow
from skvae.priors._mixture import Mixture
from skvae.priors._normal import Normal
from skvae.priors._vamp import Vamp

__all__ = ["Fitted", "Flow", "Mixture", "Normal", "Prior", "Vamp"]
