"""What the site says of the package, held to what is there."""

import pytest

from skvae import VAEImputer, VAETransformer, _component
from skvae.likelihoods import Gaussian

PAGES = {
    VAETransformer(): "skvae.VAETransformer",
    VAEImputer(): "skvae.VAEImputer",
    Gaussian(): "skvae.likelihoods.Gaussian",
}


@pytest.mark.parametrize("estimator", PAGES, ids=PAGES.values())
def test_the_html_repr_leads_to_the_page_of_the_class(estimator, monkeypatch):
    monkeypatch.setattr(_component, "SITE", "https://site.example")
    address = f"https://site.example/api/generated/{PAGES[estimator]}.html"
    assert estimator._get_doc_link() == address
    shown = estimator._repr_html_()
    assert f'href="{address}"' in shown
    assert "Documentation for" in shown
    assert f"{address}#:~:text=" in shown  # tooltips of parameters


@pytest.mark.parametrize("estimator", PAGES, ids=PAGES.values())
def test_without_an_address_there_is_no_link_that_leads_nowhere(estimator):
    assert estimator._get_doc_link() == ""
    assert "Documentation for" not in estimator._repr_html_()
