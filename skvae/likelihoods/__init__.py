"""Likelihoods: p(x | z), one class per file."""

from skvae.likelihoods._base import Likelihood
from skvae.likelihoods._bernoulli import Bernoulli
from skvae.likelihoods._beta import Beta
from skvae.likelihoods._categorical import Categorical
from skvae.likelihoods._continuous_bernoulli import ContinuousBernoulli
from skvae.likelihoods._gaussian import Gaussian
from skvae.likelihoods._histogram import Histogram
from skvae.likelihoods._laplace import Laplace
from skvae.likelihoods._lognormal import Lognormal
from skvae.likelihoods._negative_binomial import NegativeBinomial
from skvae.likelihoods._ordinal import Ordinal
from skvae.likelihoods._poisson import Poisson
from skvae.likelihoods._student_t import StudentT
from skvae.likelihoods._warped_gaussian import WarpedGaussian
from skvae.likelihoods._zero_inflated import ZeroInflated

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "ContinuousBernoulli",
    "Gaussian",
    "Histogram",
    "Laplace",
    "Likelihood",
    "Lognormal",
    "NegativeBinomial",
    "Ordinal",
    "Poisson",
    "StudentT",
    "WarpedGaussian",
    "ZeroInflated",
]
