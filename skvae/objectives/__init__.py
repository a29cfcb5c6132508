"""Objectives: what is maximised, one class per file."""

from skvae.objectives._base import Objective
from skvae.objectives._elbo import ELBO

__all__ = ["ELBO", "Objective"]
