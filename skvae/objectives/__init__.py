"""Objectives: what is maximised, one class per file."""

from skvae.objectives._base import Objective
from skvae.objectives._elbo import ELBO
from skvae.objectives._iwae import IWAE

__all__ = ["ELBO", "IWAE", "Objective"]
