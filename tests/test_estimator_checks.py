"""scikit-learn's own checks: all of them, none expected to fail."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse
from scipy.special import expit
from sklearn.utils import estimator_checks, get_tags

from skvae import VAEImputer, VAEOutlierDetector, VAESynthesizer, VAETransformer
from skvae.likelihoods import Gaussian, Laplace, StudentT

SHORT = {"max_iter": 10}  # the checks are about the interface


class MappedVAE(VAETransformer):
    """Maps X elementwise into a likelihood's support first: the checks feed it real numbers."""

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(self._mapped(X), y, sample_weight)

    def transform(self, X):
        return super().transform(self._mapped(X))

    def score_samples(self, X, n_draws=128):
        return super().score_samples(self._mapped(X), n_draws)

    def sample_latent(self, X=None, n_draws=1, random_state=None):
        return super().sample_latent(None if X is None else self._mapped(X), n_draws, random_state)

    def posterior_predictive(self, X, n_draws=1, random_state=None):
        return super().posterior_predictive(self._mapped(X), n_draws, random_state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False  # after mapping, negative values are welcome
        return tags

    def _mapped(self, X):
        if hasattr(X, "columns"):
            return type(X)(dict(zip(X.columns, self._mapped(X.to_numpy()).T, strict=True)))
        if issparse(X):
            return csr_array(self._mapped(X.toarray()))
        values = np.asarray(X)
        if values.dtype.kind not in "biufO":
            return X  # not real numbers: the estimator has to say so
        try:
            values = values.astype(values.dtype if values.dtype.kind == "f" else float)
        except TypeError:
            return X
        return np.where(np.isfinite(values), self._to_support(values), values).astype(values.dtype)


class Counts(MappedVAE):
    def _to_support(self, X):
        return np.minimum(np.floor(np.abs(X)), 1e6)


class Bits(MappedVAE):
    def _to_support(self, X):
        return X > 1


class Unit(MappedVAE):
    def _to_support(self, X):
        return expit(X)


class Inside(MappedVAE):
    def _to_support(self, X):
        return expit(X.clip(-9, 9))


CONFIGURATIONS = [
    pytest.param(VAETransformer(**SHORT), marks=pytest.mark.smoke),
    VAEImputer(VAETransformer(**SHORT)),
    VAEOutlierDetector(VAETransformer(**SHORT)),
    VAESynthesizer(VAETransformer(**SHORT)),
]
MORE = [
    VAESynthesizer(VAETransformer(autoregressive=True, max_iter=5)),
    VAETransformer(),
    VAETransformer(dropout=0.2, **SHORT),
    VAETransformer(hidden_layer_sizes=(), **SHORT),
    VAETransformer(likelihood=Gaussian(scale="cell"), **SHORT),
    VAETransformer(likelihood=Gaussian(scale="shared"), **SHORT),
    VAETransformer(likelihood=Gaussian(scale=0.5), **SHORT),
    VAETransformer(hidden_layer_sizes=(16, 8, 4), **SHORT),
    VAETransformer(n_draws=5, **SHORT),
    VAETransformer(likelihood=StudentT(df=3), **SHORT),
    VAETransformer(likelihood=Laplace(), **SHORT),
    VAETransformer(likelihood="histogram", **SHORT),
    VAETransformer(objective="iwae", n_draws=5, **SHORT),
    VAETransformer(objective="capacity", **SHORT),
    VAETransformer(objective="free_bits", **SHORT),
    VAETransformer(init="isomap", **SHORT),
    VAETransformer(likelihood={0: "histogram"}, hide=0.2, **SHORT),
    VAETransformer(autoregressive=True, likelihood="histogram", **SHORT),
    VAETransformer(prior="mixture", **SHORT),
    VAETransformer(prior="flow", **SHORT),
    VAETransformer(prior="vamp", **SHORT),
    VAETransformer(prior="fitted", **SHORT),
    VAETransformer(posterior="full_gaussian", **SHORT),
    VAETransformer(posterior="flow", **SHORT),
    Counts(likelihood="poisson", **SHORT),
    Counts(likelihood="negative_binomial", **SHORT),
    Counts(likelihood="categorical", **SHORT),
    Counts(likelihood="zero_inflated", **SHORT),
    Bits(likelihood="bernoulli", **SHORT),
    Unit(likelihood="continuous_bernoulli", **SHORT),
    Inside(likelihood="lognormal", **SHORT),
    Inside(likelihood="beta", **SHORT),
]
each_configuration = pytest.mark.parametrize(
    "estimator",
    [*CONFIGURATIONS, *(pytest.param(estimator, marks=pytest.mark.slow) for estimator in MORE)],
    ids=repr,
)


@each_configuration
def test_every_check_of_scikit_learn_passes(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings of their own
        results = estimator_checks.check_estimator(estimator, on_skip=None)
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    assert skipped <= {"check_array_api_input"}  # it needs SCIPY_ARRAY_API in the environment
    assert len(results) >= 40


@pytest.mark.smoke
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_dataframe_column_names_consistency,
        estimator_checks.check_transformer_get_feature_names_out,
        estimator_checks.check_transformer_get_feature_names_out_pandas,
        estimator_checks.check_get_feature_names_out_error,
        estimator_checks.check_set_output_transform,
        estimator_checks.check_set_output_transform_pandas,
        estimator_checks.check_set_output_transform_polars,
        estimator_checks.check_global_output_transform_pandas,
        estimator_checks.check_global_set_output_transform_polars,
        estimator_checks.check_param_validation,
        estimator_checks.check_n_features_in_after_fitting,
        estimator_checks.check_inplace_ensure_writeable,
        estimator_checks.check_f_contiguous_array_estimator,
    ],
    ids=lambda check: check.__name__,
)
def test_the_checks_that_check_estimator_leaves_out_pass_too(check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check("VAETransformer", VAETransformer(**SHORT))


@pytest.mark.parametrize(
    "estimator", [VAEImputer(VAETransformer(**SHORT)), VAEOutlierDetector()], ids=repr
)
def test_imputer_and_detector_say_that_they_take_holes(estimator):
    assert get_tags(estimator).input_tags.allow_nan


@pytest.mark.parametrize(
    "likelihood",
    ["bernoulli", "beta", "continuous_bernoulli", "lognormal", "negative_binomial", "poisson"],
)
def test_likelihoods_of_non_negative_values_set_the_tag_and_refuse_negative_ones(likelihood):
    estimator = VAETransformer(likelihood=likelihood, **SHORT)
    assert get_tags(estimator).input_tags.positive_only
    estimator_checks.check_positive_only_tag_during_fit("VAETransformer", estimator)
    estimator_checks.check_fit_non_negative("VAETransformer", estimator)


@each_configuration
def test_no_tag_is_a_way_out_of_the_checks(estimator):
    tags = get_tags(estimator)
    assert not (tags.no_validation or tags.non_deterministic or tags._skip_test)
