"""After fit: encode, decode, score, fill and draw."""

from skvae.inference._condition import latents_given
from skvae.inference._encode import cells, features, posterior_mean, posterior_sample
from skvae.inference._impute import drawn_cells, expected_cells
from skvae.inference._prior import finished, prior_sample, trainable
from skvae.inference._score import log_likelihood, lower_bound

__all__ = [
    "cells",
    "drawn_cells",
    "expected_cells",
    "features",
    "finished",
    "latents_given",
    "log_likelihood",
    "lower_bound",
    "posterior_mean",
    "posterior_sample",
    "prior_sample",
    "trainable",
]
