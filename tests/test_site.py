"""What the site says of the package, held to what is there."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib
import pytest

from skvae import VAEImputer, VAETransformer, _component
from skvae.likelihoods import Gaussian

ROOT = Path(__file__).resolve().parents[1]
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.rst"))
PAGES_WITH_CODE = [page for page in GUIDE if "code-block:: python" in page.read_text()]
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


def test_every_test_that_a_promise_names_exists():
    text = (ROOT / "docs" / "promises.rst").read_text()
    named = re.findall(r"``(test_\w+\.py)::(test_\w+)``", text)
    assert len(named) == text.count("\n- ") > 0  # one for each promise
    missing = [
        f"{file}::{name}"
        for file, name in named
        if f"\ndef {name}(" not in (ROOT / "tests" / file).read_text()
    ]
    assert missing == []


def blocks(page):
    """The code of a page, block by block."""
    found = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", page.read_text() + "\n")
    return [textwrap.dedent(block) for block in found]


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.stem)
def test_the_code_of_the_guide_has_no_unknown_names(page):
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "-"]
    code = "\n".join(blocks(page))
    found = subprocess.run(ruff, input=code, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what a reader would be told too
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.stem)
def test_the_code_of_the_guide_runs_from_top_to_bottom(page):
    matplotlib.use("agg")
    names = {"__name__": "__main__"}
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), names)
