import pytest
from sklearn.base import clone

from skvae import likelihoods, objectives, posteriors, priors
from skvae._component import Component, known, resolve

ROOMS = {
    likelihoods: (
        likelihoods.Likelihood,
        {
            "bernoulli",
            "beta",
            "categorical",
            "continuous_bernoulli",
            "gaussian",
            "histogram",
            "laplace",
            "lognormal",
            "negative_binomial",
            "ordinal",
            "poisson",
            "student_t",
            "warped_gaussian",
            "zero_inflated",
        },
    ),
    priors: (priors.Prior, {"fitted", "flow", "mixture", "normal", "vamp"}),
    posteriors: (posteriors.Posterior, {"flow", "full_gaussian", "gaussian"}),
    objectives: (objectives.Objective, {"capacity", "elbo", "free_bits", "iwae"}),
}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_every_public_class_of_a_room_has_a_name(room):
    base, expected = ROOMS[room]
    assert set(known(base, room)) == expected
    for name in expected:
        assert isinstance(resolve(name, base, room), base)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_an_unknown_name_is_answered_with_the_known_ones(room):
    base, expected = ROOMS[room]
    with pytest.raises(
        ValueError,
        match=f"Unknown {base.__name__.lower()} 'gausian'. Known names: .*{min(expected)}",
    ):
        resolve("gausian", base, room)


def test_an_object_is_copied_and_its_parameters_are_checked():
    given = likelihoods.Gaussian(scale="shared")
    copy = resolve(given, likelihoods.Likelihood, likelihoods)
    assert copy == given
    assert copy is not given
    with pytest.raises(ValueError, match="The 'scale' parameter of Gaussian must be"):
        resolve(likelihoods.Gaussian(scale=-1.0), likelihoods.Likelihood, likelihoods)


def test_components_are_equal_by_class_and_parameters():
    assert likelihoods.Gaussian(0.5) == likelihoods.Gaussian(0.5)
    assert likelihoods.Gaussian(0.5) != likelihoods.Gaussian(0.25)
    assert posteriors.Gaussian() != priors.Normal()
    assert likelihoods.Gaussian() != "gaussian"


def test_a_subclass_of_ones_own_needs_no_registration():
    class Mine(Component):
        def __init__(self, width=1):
            self.width = width

    assert resolve(Mine(2), Mine, likelihoods) == clone(Mine(2))
