"""What estimators around a model show of it."""

import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline

from skvae import VAEImputer, VAEOutlierDetector, VAESynthesizer, VAETransformer

AROUND = [VAEImputer, VAEOutlierDetector, VAESynthesizer]


def settings(vae):
    """Parameters as text, but for the owner's random state."""
    return {k: repr(v) for k, v in vae.get_params().items() if k != "random_state"}


@pytest.mark.parametrize("kind", [VAEImputer, VAEOutlierDetector])
def test_the_settings_shown_are_those_of_the_fitted_model(kind):
    estimator = kind(random_state=0)
    shown = eval(repr(estimator)).vae  # the repr says all that differs from the defaults
    fitted = estimator.fit(load_iris().data[:30]).vae_
    assert settings(shown) == settings(fitted) != settings(VAETransformer())


@pytest.mark.parametrize("kind", AROUND)
def test_none_stays_none_for_those_who_ask(kind):
    estimator = kind()
    repr(estimator), estimator._repr_html_()
    assert estimator.get_params() == clone(estimator).get_params()
    assert estimator.vae is None
    assert vars(clone(estimator)) == vars(estimator)


@pytest.mark.parametrize("kind", AROUND)
def test_a_model_of_ones_own_is_shown_as_it_is(kind):
    estimator = kind(VAETransformer(3)).set_params(vae__beta=2.5)
    assert repr(estimator) == f"{kind.__name__}(vae=VAETransformer(beta=2.5, latent_dim=3))"


def test_the_synthesizer_says_what_it_finds_by_the_table():
    shown = " ".join(repr(VAESynthesizer()).split())
    assert "likelihood=<by column>, max_iter=<10 to 100, by rows>" in shown
    html = VAESynthesizer()._repr_html_()
    assert "&lt;by column&gt;" in html


def test_diagrams_have_a_box_for_the_model_in_pipelines_too():
    for estimator in (VAEImputer(), make_pipeline(VAEImputer(), VAEOutlierDetector())):
        html = estimator._repr_html_()
        assert "vae: VAETransformer" in html
        assert "iwae" in html


class Named(VAEImputer):
    def __init__(self, vae=None, *, name="a"):
        super().__init__(vae)
        self.name = name


def test_a_subclass_is_shown_too():
    shown = repr(Named(name="b"))
    assert shown.startswith("Named(") and "name='b'" in shown and "hide=0.2" in shown
    assert "Named" in Named()._repr_html_()
