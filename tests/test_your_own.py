"""Parts that a user brings: one class each, no registration."""

import pickle

import numpy as np
import pytest
from scipy import stats

from skvae import VAETransformer
from skvae._math import LOG_2PI, ops
from skvae.likelihoods import Likelihood, ZeroInflated
from skvae.objectives import Objective
from skvae.posteriors import Posterior
from skvae.priors import Prior


class LogNormal(Likelihood):
    """Positive numbers whose logarithm is normal, with location and scale learned once."""

    measure = "density"
    support = "positive numbers"
    positive_only = True

    def __init__(self, floor=0.1):
        self.floor = floor

    def supports(self, X):
        return X > 0

    def init(self, size):
        return {"log_scale": np.zeros(size.cells, np.float32)}

    def constants(self, x, columns):
        return {
            "location": np.log(x).mean(axis=0),
            "spread": np.log(x).std(axis=0) + np.float32(self.floor),
        }

    def features(self, w, x, seen):
        return seen * (ops.log(x) - w["location"]) / w["spread"]

    def log_prob(self, w, x, raw):
        scale = w["spread"] * ops.exp(w["log_scale"])
        residual = (ops.log(x) - w["location"] - w["spread"] * raw) / scale
        return -0.5 * (residual**2 + LOG_2PI) - ops.log(scale) - ops.log(x)

    def point(self, w, raw):
        return np.exp(
            w["location"] + w["spread"] * raw + 0.5 * (w["spread"] * np.exp(w["log_scale"])) ** 2
        )

    def sample(self, w, raw, rng):
        noise = rng.normal(size=raw.shape) * w["spread"] * np.exp(w["log_scale"])
        return np.exp(w["location"] + w["spread"] * raw + noise)


class Shifted(Prior):
    """A normal around a learned place, which says nothing of its KL in closed form."""

    def __init__(self, start=()):
        self.start = start

    def init(self, latent_dim, rng, features):
        return {"place": np.resize(np.float32([*self.start, 0.0]), latent_dim)}

    def log_prob(self, w, z, q):
        return -0.5 * ops.sum((z - w["place"]) ** 2 + LOG_2PI, axis=-1)

    def sample(self, w, noise, q):
        return w["place"] + noise

    def kl(self, w, moments):
        return None


RNG = np.random.default_rng(0)
X = np.exp(RNG.normal(size=(400, 1)) @ RNG.normal(size=(1, 3)) + 0.3 * RNG.normal(size=(400, 3)))


def fitted(max_iter=60, **parts):
    return VAETransformer(2, max_iter=max_iter, learning_rate=0.01, random_state=0, **parts).fit(X)


def test_a_likelihood_of_ones_own_learns_scores_restores_and_draws():
    vae = fitted(likelihood=LogNormal())
    assert (
        vae.score(X) > stats.multivariate_normal(X.mean(axis=0), np.cov(X.T)).logpdf(X).mean() + 1
    )
    drawn = vae.sample(5000, random_state=0)
    assert (drawn > 0).all()
    np.testing.assert_allclose(np.log(drawn).std(axis=0), np.log(X).std(axis=0), rtol=0.15)
    assert np.corrcoef(vae.inverse_transform(vae.transform(X))[:, 0], X[:, 0])[0, 1] > 0.8
    with pytest.raises(
        ValueError, match=r"^Negative values in data: LogNormal needs positive numbers"
    ):
        vae.transform(-X)


def test_a_prior_of_ones_own_may_have_weights_no_closed_form_and_any_parameters():
    vae = fitted(likelihood=LogNormal(), prior=Shifted(start=[3.0]))
    assert vae.score(X) > fitted(likelihood=LogNormal()).score(X) - 0.3
    assert vae.latent_kl_.shape == (1,)
    place = vae._model.learned()["prior"]["place"]
    assert place[0] < 2.9
    np.testing.assert_allclose(
        vae.sample_latent(n_draws=1000, random_state=0).mean(axis=0), place, atol=0.15
    )
    assert np.isfinite(vae.sample(3)).all()
    again = fitted(likelihood=LogNormal(), prior=Shifted(start=[3.0]))
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))


def test_a_model_with_parts_of_ones_own_is_pickled():
    vae = fitted(likelihood=LogNormal(), prior=Shifted())
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(vae)).score_samples(X), vae.score_samples(X)
    )


class Centred(Shifted):
    """Its auxiliary loss pulls the mean of the codes to 2; its own array learns that mean."""

    def auxiliary_loss(self, w, z):
        mean = ops.mean(z, axis=(0, 1))
        learned = ops.sum((w["seen"] - ops.stop_gradient(mean)) ** 2)
        return 100.0 * ops.sum((mean - 2.0) ** 2) + learned - ops.stop_gradient(learned)

    def init(self, latent_dim, rng, features):
        return super().init(latent_dim, rng, features) | {"seen": np.zeros(latent_dim, np.float32)}


def test_a_prior_of_ones_own_may_add_to_the_loss_and_train_for_it():
    vae = fitted(prior=Centred(), early_stopping=False)  # so that lower_bound_ is that of all rows
    np.testing.assert_allclose(vae.transform(X).mean(axis=0), 2, atol=0.2)
    np.testing.assert_allclose(vae._model.learned()["prior"]["seen"], 2, atol=0.3)
    assert vae.lower_bound_ == pytest.approx(
        vae.score_samples(X, n_draws=1).mean(), abs=0.3
    )  # no part of it


class Summed(LogNormal):
    def log_prob(self, w, x, raw):
        return ops.sum(super().log_prob(w, x, raw), axis=-1)


class Doubled(LogNormal):
    def n_features(self, size):
        return 2 * size.cells


class ByDimension(Shifted):
    def log_prob(self, w, z, q):
        return -0.5 * (z - w["place"]) ** 2


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"likelihood": Summed()},
            r"Summed\(\).log_prob gave an array of shape .* but a number for each cell",
        ),
        (
            {"likelihood": Doubled()},
            r"Doubled\(\).features gave an array of shape .* but \(..., 6\), as n_features",
        ),
        (
            {"prior": ByDimension()},
            r"ByDimension\(\).log_prob gave an array of shape .* but a number for each point",
        ),
    ],
)
def test_parts_that_give_arrays_of_another_shape_are_told(parts, message):
    with pytest.raises(ValueError, match=message):
        fitted(**{"likelihood": LogNormal(), **parts})


def test_parts_that_lack_a_method_are_told():
    class Unfinished(Likelihood):
        def log_prob(self, w, x, raw):
            return -((x - raw) ** 2)

    with pytest.raises(TypeError, match="abstract class Unfinished .*point.*sample.*supports"):
        Unfinished()


class OneNat(Objective):
    """An objective with a loss alone."""

    def loss(self, log_lik, kl, beta):
        return 10.0 * (ops.mean(ops.sum(kl, axis=-1), axis=0) - 1.0) ** 2 - ops.mean(
            log_lik, axis=0
        )


def test_an_objective_of_ones_own_needs_a_loss_alone():
    assert fitted(likelihood=LogNormal(), objective=OneNat()).latent_kl_.sum() == pytest.approx(
        1, abs=0.3
    )


class InDouble(Shifted):
    """It draws in float64."""

    def sample(self, w, noise, q):
        return super().sample(w, noise, q).astype(np.float64)


def test_a_prior_of_ones_own_may_draw_in_any_precision():
    vae = fitted(3, likelihood=LogNormal(), prior=InDouble())
    holes = np.where(RNG.random((20, 3)) < 0.3, np.nan, X[:20])
    assert np.isfinite(vae.impute(holes)).all()
    assert np.isfinite(vae.impute(holes, draw=True)).all()
    assert np.isfinite(vae.score_samples(holes)).all()
    assert (vae.sample(5, given={0: 1.0})[:, 0] == 1.0).all()


class Flat(Shifted):
    """Its draws have lost an axis."""

    def sample(self, w, noise, q):
        return (w["place"] + noise)[:, 0]


def test_a_prior_whose_draws_have_another_shape_is_told():
    with pytest.raises(
        ValueError, match=r"^Flat\(\).sample gave an array of shape \(3,\), but a point"
    ):
        fitted(1, prior=Flat()).sample(3)


class OneDraw(Posterior):
    """A normal around the code, which gives a single draw whatever it is asked for."""

    def __init__(self, lost="draws"):
        self.lost = lost

    def n_raw(self, latent_dim):
        return latent_dim

    def sample(self, w, raw, noise):
        log_q = -0.5 * ops.sum(noise**2 + LOG_2PI, axis=-1)
        return (raw, log_q) if self.lost == "draws" else (raw + noise, log_q[..., None])

    def log_prob(self, w, raw, z):
        return -0.5 * ops.sum((z - raw) ** 2 + LOG_2PI, axis=-1)

    def mean(self, w, raw):
        return raw


@pytest.mark.parametrize("lost", ["draws", "log_q"])
def test_a_posterior_whose_draws_have_another_shape_is_told(lost):
    with pytest.raises(ValueError, match=r"OneDraw\(.*\).sample gave an array of shape .* but a"):
        fitted(1, posterior=OneDraw(lost))


class Fussy(LogNormal):
    """Its constants want several rows, none of zeros, and take their shapes from them."""

    def constants(self, x, columns):
        if len(x) < 2 or not x.all():
            raise ValueError("never called so")
        return {**super().constants(x, columns), "kept": np.sort(x, axis=0)[:7]}


def test_constants_are_learned_from_the_rows_of_fit_alone_in_any_shape():
    assert fitted(3, likelihood=Fussy()).score(X) == fitted(3, likelihood=LogNormal()).score(X)


def test_zeros_apart_from_a_likelihood_of_ones_own():
    zeros = np.where(RNG.random(X.shape) < 0.3, 0.0, X)
    vae = fitted(20, likelihood=ZeroInflated(LogNormal()))
    vae.fit(zeros)
    assert (vae.sample(500, random_state=0) == 0).mean() == pytest.approx(0.3, abs=0.1)


class Unmeasured(LogNormal):
    """It does not say its measure."""

    measure = property()  # as if there were none


class Pdf(LogNormal):
    measure = "pdf"


class Unsupported(LogNormal):
    support = None


@pytest.mark.parametrize(
    ("likelihood", "message"),
    [
        (Unmeasured(), "Unmeasured has measure=None; set measure = 'density'"),
        (ZeroInflated(Unmeasured()), "Unmeasured has measure=None; set measure = 'density'"),
        (Pdf(), "Pdf has measure='pdf'; set measure = 'density'"),
        (Unsupported(), "Unsupported does not say its support; set it in the class"),
    ],
)
def test_a_likelihood_that_does_not_say_what_it_is_of_is_told(likelihood, message):
    with pytest.raises(ValueError, match=message):
        fitted(1, likelihood=likelihood)


class OneColumn(LogNormal):
    """Its draws and points are of the first column alone."""

    def sample(self, w, raw, rng):
        return super().sample(w, raw, rng)[..., :1]

    def point(self, w, raw):
        return 1.0


def test_draws_and_points_of_another_shape_are_told():
    vae = fitted(1, likelihood=OneColumn())
    for use, method in [
        (vae.sample, "sample"),
        (lambda: vae.inverse_transform(np.zeros((1, 2))), "point"),
    ]:
        with pytest.raises(ValueError, match=rf"OneColumn\(\).{method} gave an array of"):
            use()


class Impossible(LogNormal):
    """At some latent points, near all others, every value has probability zero."""

    def log_prob(self, w, x, raw):
        return ops.where(ops.sin(200 * raw[..., :1]) > 0.9, -np.inf, super().log_prob(w, x, raw))


def test_draws_at_which_a_row_is_impossible_are_some_of_several_to_iwae():
    vae = fitted(5, likelihood=Impossible(), objective="iwae", n_draws=20)
    assert np.isfinite(vae.history_["loss"]).all()
    assert np.isfinite(vae.history_["validation_loss"]).all()
    assert not np.isfinite(vae.history_["log_likelihood"]).all()  # the mean over all draws
