"""Likelihoods: p(x | z), one class per file."""

from skvae.likelihoods._base import Likelihood
from skvae.likelihoods._bernoulli import Bernoulli
from skvae.likelihoods._continuous_bernoulli import ContinuousBernoulli
from skvae.likelihoods._gaussian import Gaussian
from skvae.likelihoods._poisson import Poisson

__all__ = ["Bernoulli", "ContinuousBernoulli", "Gaussian", "Likelihood", "Poisson"]
