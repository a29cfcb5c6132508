"""Objectives: what is maximised, one class per file."""

from skvae.objectives._base import Objective
from skvae.objectives._capacity import Capacity
from skvae.objectives._elbo import ELBO
from skvae.objectives._free_bits import FreeBits
from skvae.objectives._iwae import IWAE

__all__ = ["ELBO", "IWAE", "Capacity", "FreeBits", "Objective"]
