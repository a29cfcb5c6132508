"""Examples: they open with a question and run; the template of a likelihood has what it needs."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import test_likelihoods as properties
from scipy import stats

from skvae.likelihoods import ZeroInflated

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
PROPERTIES = [
    properties.test_probabilities_sum_to_one,
    properties.test_samples_have_the_log_probability_that_log_prob_expects,
    properties.test_the_point_is_the_mean_of_samples_or_the_most_likely_level,
    properties.test_a_mixture_of_one_component_has_its_point,
    properties.test_the_point_of_a_mixture_is_that_of_its_samples,
    properties.test_samples_lie_in_the_support,
    properties.test_the_encoder_sees_finite_features_of_as_many_columns,
    properties.test_the_encoder_sees_zeros_in_a_hole,
    properties.test_the_shapes_of_constants_follow_from_the_size_alone,
    properties.test_nothing_outside_the_support_is_accepted,
    properties.test_copies_are_equal_and_hash_alike,
]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The whole example, which runs when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("pictures"))
        patch.setenv("MPLBACKEND", "agg")
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("plot_your_own_likelihood")


@pytest.fixture
def weibull(example):
    return example.Weibull()


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda holds: holds.__name__)
def test_the_template_has_the_properties_of_every_likelihood(weibull, holds):
    holds(weibull)
    if holds is not properties.test_nothing_outside_the_support_is_accepted:
        holds(ZeroInflated(weibull))


@pytest.mark.parametrize("extreme", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_the_template_is_finite_wherever_training_wanders(weibull, extreme):
    properties.test_values_and_gradients_are_finite_at_extreme_raw_values(weibull, extreme)
    properties.test_values_and_gradients_are_finite_wherever_learned_arrays_wander(weibull, extreme)
    properties.test_what_lies_under_a_hole_makes_no_difference(weibull, extreme)


def scipys(w, raw, log_shape):
    """The distribution of each cell, (rows, cells)."""
    spread = w["spread"].astype(float)
    shape = np.exp(10 * np.tanh(log_shape / 10)) / spread
    scale = np.exp(w["center"] + spread * 10 * np.tanh(raw.astype(float) / 10))
    return stats.weibull_min(shape, scale=scale)


@pytest.mark.parametrize("log_shape", [-1.0, 0.0, 0.7])
def test_the_template_is_scipys_weibull(weibull, log_shape):
    w, raw = properties.arrays_of(weibull), properties.raws(weibull, n=20)
    w = w | {"log_shape": np.full(properties.N_CELLS, log_shape, np.float32)}
    truth = scipys(w, raw, log_shape)
    x = truth.rvs(random_state=0).astype(np.float32)
    found = properties.log_prob(weibull, x, raw, w)
    np.testing.assert_allclose(found, truth.logpdf(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(weibull.point(w, raw), truth.mean(), rtol=1e-4)


def test_the_template_starts_at_the_moments_of_the_column(weibull):
    x = stats.weibull_min.rvs(2.5, scale=3, size=(100_000, 2), random_state=0).astype(np.float32)
    w = weibull.constants(x, [])
    np.testing.assert_allclose(1 / w["spread"], 2.5, rtol=0.02)
    np.testing.assert_allclose(np.exp(w["center"]), 3, rtol=0.02)


def test_the_example_learns_what_it_says(example):
    scores = example.scores
    assert scores["gaussian"] < scores["lognormal"] - 0.3
    assert scores["lognormal"] < scores["Weibull"] - 0.1
    truth = example.true_score(example.X_new)
    assert truth - 0.1 < scores["Weibull"] < truth + 0.02
    means = example.X_new.mean(axis=0)
    np.testing.assert_allclose(example.drawn.mean(axis=0), means, rtol=0.15)
    assert Path("your_own_likelihood.png").exists()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_each_example_opens_with_a_question(script):
    title, line, *_ = ast.get_docstring(ast.parse(script.read_text())).splitlines()
    assert title.endswith("?")
    assert line == "=" * len(title)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_each_example_runs_as_a_script(script, tmp_path):
    if "SKVAE_DATA" in script.read_text() and "SKVAE_DATA" not in os.environ:
        pytest.skip("its table is not at hand")
    settings = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(EXAMPLES.parent)}
    command = [sys.executable, str(script)]
    subprocess.run(command, cwd=tmp_path, env=settings, check=True, capture_output=True)
