"""Schedules of beta: their values, and that training follows them."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from skvae import VAETransformer, schedules
from skvae._component import known
from skvae.schedules import Constant, Cyclical, LinearWarmup, Schedule
from skvae.training import Pace

IRIS = load_iris().data
every_schedule = pytest.mark.parametrize(
    "schedule", [cls(beta=2.0) for cls in known(Schedule, schedules).values()]
)


@every_schedule
@pytest.mark.parametrize("max_iter", [1, 3, 7, 200])
def test_a_schedule_has_a_value_per_epoch_and_ends_with_the_whole_of_beta(schedule, max_iter):
    betas = schedule.betas(max_iter)
    assert betas.shape == (max_iter,)
    assert betas[-1] == 2
    assert (betas > 0).all()
    assert (betas <= 2).all()


def test_cycles_begin_anew():
    betas = Cyclical(n_cycles=4, rise=0.5).betas(40)
    np.testing.assert_array_equal(betas[:10], betas[30:])
    assert betas[10] < betas[9]


def test_cycles_that_do_not_divide_the_epochs_begin_anew_too():
    betas = Cyclical(n_cycles=6).betas(200)
    assert (np.flatnonzero(np.diff(betas) < -0.5) + 1).tolist() == [34, 67, 100, 134, 167]


class Short(Schedule):
    def betas(self, max_iter):
        return np.ones(3)


def test_a_schedule_of_another_length_is_an_error():
    with pytest.raises(
        ValueError, match=r"beta=Short\(\) gave .* of shape \(3,\), but a finite number"
    ):
        VAETransformer(beta=Short(), max_iter=8).fit(IRIS)


@every_schedule
def test_training_follows_the_schedule(schedule):
    vae = VAETransformer(beta=schedule, max_iter=8, early_stopping=False, random_state=0).fit(IRIS)
    np.testing.assert_allclose(vae.history_["beta"], schedule.betas(8))


def test_training_does_not_stop_before_the_last_cycle_has_risen():
    vae = VAETransformer(
        beta=Cyclical(3), max_iter=60, n_iter_no_change=1, tol=1e9, random_state=0
    ).fit(IRIS)
    assert vae.n_iter_ >= 50


def test_a_fit_that_goes_on_keeps_the_last_beta():
    vae = VAETransformer(
        beta=LinearWarmup(4), max_iter=5, early_stopping=False, warm_start=True, random_state=0
    )
    assert (vae.fit(IRIS).fit(IRIS).history_["beta"][4:] == 1).all()


def test_a_wrong_schedule_is_told_in_fit():
    with pytest.raises(ValueError, match="'beta' parameter of Constant must be a float"):
        VAETransformer(beta=Constant(-1.0)).fit(IRIS)


@pytest.mark.parametrize("max_iter", [1, 4, 8, 30])
@pytest.mark.parametrize("parts", [1, 4, 5])
@every_schedule
def test_long_epochs_have_a_beta_for_each_part(schedule, parts, max_iter):
    pace = Pace.of(1.0, schedule, max_iter, parts)
    betas = np.array([pace.beta(part) for part in range(max_iter * parts)])
    if parts == 1:
        np.testing.assert_array_equal(betas, schedule.betas(max_iter))
    assert betas[-1] == pace.last_beta == 2
    assert (betas[pace.settled :] == 2).all()
    assert pace.settled == 0 or betas[pace.settled - 1] < 2
    cycles = (np.diff(betas) < -0.5).sum()
    assert cycles == (3 if isinstance(schedule, Cyclical) and max_iter * parts > 15 else cycles)


class Late(Schedule):
    """By epochs alone."""

    def betas(self, max_iter):
        return np.where(np.arange(max_iter) < 2, 0.5, 1.0)


def test_a_schedule_of_ones_own_holds_its_values_over_the_parts_of_epochs():
    pace = Pace.of(1.0, Late(), 6, 5)
    assert [pace.beta(part) for part in range(8, 12)] == [0.5, 0.5, 1.0, 1.0]
    assert pace.settled == 10


class Below(Late):
    def beta_at(self, epochs, max_iter, length=1.0):
        return -1.0


def test_a_negative_beta_is_told():
    with pytest.raises(
        ValueError, match=r"Below\(\) gave -1.0 .* but a finite number of at least 0"
    ):
        Pace.of(1.0, Below(), 6, 5).beta(3)
