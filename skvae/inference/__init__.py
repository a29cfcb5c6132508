"""After fit: encode, decode, score, fill and draw."""

from skvae.inference._by_cell import cell_scores
from skvae.inference._calibrate import calibrated
from skvae.inference._condition import rows_given
from skvae.inference._draw import drawn, missing
from skvae.inference._encode import (
    cells,
    decoder_graph,
    encoder_graph,
    features,
    posterior_mean,
    posterior_sample,
)
from skvae.inference._impute import cells_spread, drawn_cells, expected_cells
from skvae.inference._prior import finished, prior_sample, refitted, trainable
from skvae.inference._score import log_likelihood, lower_bound

__all__ = [
    "calibrated",
    "cell_scores",
    "cells",
    "cells_spread",
    "decoder_graph",
    "drawn",
    "drawn_cells",
    "encoder_graph",
    "expected_cells",
    "features",
    "finished",
    "log_likelihood",
    "lower_bound",
    "missing",
    "posterior_mean",
    "posterior_sample",
    "prior_sample",
    "refitted",
    "rows_given",
    "trainable",
]
