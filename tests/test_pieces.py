"""Rows that come in pieces."""

import numpy as np
import pandas as pd
import pytest

from skvae import VAETransformer, schedules
from skvae.engine import _training

RNG = np.random.default_rng(0)


def table(n, labels="ab", constant=1.0):
    x = RNG.normal(size=n)
    labels = RNG.choice(list(labels), n)
    return pd.DataFrame({"x": x, "y": 2 * x + RNG.normal(size=n), "k": labels, "c": constant})


def small(**parameters):
    fixed = {"hidden_layer_sizes": 8, "random_state": 0, "learning_rate": 0.01, "batch_size": 32}
    return VAETransformer(2, **fixed | parameters)


PIECES = [table(100) for _ in range(12)]
LATER = table(300)


def learned(pieces, **parameters):
    vae = small(**parameters)
    for rows in pieces:
        vae.partial_fit(rows)
    return vae


def test_pieces_teach_as_much_as_epochs_over_all_of_them():
    whole = small(max_iter=5, early_stopping=False).fit(pd.concat(PIECES))
    assert learned(PIECES * 5, beta=schedules.Constant()).score(LATER) > whole.score(LATER) - 0.3


@pytest.mark.parametrize("beta", [2.0, schedules.LinearWarmup(200, 2.0)])
def test_losses_of_all_pieces_are_at_the_last_beta(beta):
    history = learned([table(100)] * 3, beta=beta).history_
    at_two = 2 * history["kl"] - history["log_likelihood"]
    assert history["beta"].max() < 0.1
    np.testing.assert_allclose(history["loss"], at_two, rtol=1e-5)


def test_each_call_is_an_epoch_and_beta_rises_with_steps():
    vae = learned(PIECES[:3])
    assert vae.n_iter_ == 3
    assert vae.best_iter_ == 3
    np.testing.assert_allclose(vae.history_["beta"], [0.004, 0.008, 0.012])
    assert (
        learned([table(100)] * 3, beta=schedules.Constant(2.0)).history_["beta"].tolist() == [2] * 3
    )


def test_the_first_piece_says_what_columns_hold_or_a_schema_does():
    first = learned(PIECES[:1])
    center = first._codec.scaling.center.copy()
    np.testing.assert_array_equal(first.partial_fit(LATER)._codec.scaling.center, center)
    wide = pd.concat([LATER, table(50, "abz")])
    vae = small().partial_fit(PIECES[0], schema=wide)
    assert set(vae.sample(500, random_state=0)["k"]) == {"a", "b", "z"}
    np.testing.assert_array_equal(
        vae._codec.scaling.center, small().fit(wide)._codec.scaling.center
    )


def test_new_labels_and_columns_that_vary_later_are_told():
    vae = learned(PIECES[:1])
    with pytest.warns(UserWarning, match="not seen in fit are treated as missing: 'z'"):
        vae.partial_fit(table(50, "z"))
    with pytest.warns(UserWarning, match="had one value in the first piece, or none.*'c'"):
        vae.partial_fit(table(50, constant=RNG.normal(size=50)))
    assert (vae.sample(20, random_state=0)["c"] == 1).all()


def test_the_encoder_is_told_of_holes_that_come_later():
    vae = learned(PIECES[:1])
    assert vae._model.network.holes
    holed = LATER.mask(RNG.random(LATER.shape) < 0.2)
    assert np.isfinite(vae.partial_fit(holed).score(holed))


def test_the_same_pieces_give_the_same_bits_and_each_pass_other_noise():
    a, b = learned(PIECES[:1] * 2), learned(PIECES[:1] * 2)
    np.testing.assert_array_equal(a.transform(LATER), b.transform(LATER))
    orders = [learned(PIECES[:1] * n)._model.weights for n in (1, 2)]
    assert not np.array_equal(*orders)


def test_a_piece_follows_a_fit_and_a_fit_starts_anew():
    vae = small(max_iter=4).fit(LATER)
    assert vae.partial_fit(PIECES[0]).n_iter_ == 5
    expected = small(max_iter=4).fit(LATER)
    np.testing.assert_array_equal(vae.fit(LATER).transform(LATER), expected.transform(LATER))


@pytest.mark.parametrize("n", [1, 5])
def test_pieces_may_be_small(n):
    vae = learned(PIECES[:1]).partial_fit(PIECES[1][:n])
    assert np.isfinite(vae.score(LATER))


def test_small_pieces_of_other_sizes_share_a_program():
    vae = learned([PIECES[0][:9]])
    before = _training.trainer.cache_info().misses
    for n in (1, 5, 30):
        vae.partial_fit(PIECES[1][:n])
    assert _training.trainer.cache_info().misses == before


def test_what_cannot_come_in_pieces_is_refused():
    with pytest.raises(ValueError, match="autoregressive=True is trained in a second stage"):
        small(autoregressive=True).partial_fit(LATER)
    vae = learned(PIECES[:1])
    with pytest.raises(ValueError, match="feature names"):
        vae.partial_fit(LATER.rename(columns={"x": "z"}))
    with pytest.raises(ValueError, match="architecture"):
        vae.set_params(latent_dim=3).partial_fit(LATER)
    assert vae.n_iter_ == 1
