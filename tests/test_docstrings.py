"""What is public says what it takes, what it gives and shows it, as numpydoc has it."""

import inspect
from functools import cached_property
from types import ModuleType

import pytest
from numpydoc.validate import validate

import skvae
from skvae._compare import Comparison

GIVEN_BACK = [Comparison]  # by public functions; users make none, so its attributes are told of
MADE_HERE = {f"{cls.__module__}.{cls.__name__}" for cls in GIVEN_BACK}
LEFT_OUT = {
    "ES01": "one sentence often says all",
    "SA01": "there is not always something else to see",
    "SS05": "it takes plural nouns for verbs: 'Rows drawn from p(x_new | x)'",
    "RT02": "results have names, as in scikit-learn",
}
# Of callbacks: scikit-learn calls four of them and `fit` the last, users none.
HOOKS = {"setup", "teardown", "on_fit_task_begin", "on_fit_task_end", "of_fit"}


def modules(module: ModuleType = skvae) -> list[ModuleType]:
    """The package and its public rooms."""
    return [skvae] + [o for o in map(module.__dict__.get, module.__all__) if inspect.ismodule(o)]


def source(cls: type, name: str) -> str | None:
    """Where a public member is documented: in the class, or in the base that it overrides."""
    definers = [base for base in cls.__mro__ if name in vars(base)]
    said = [base for base in definers if shown(vars(base)[name]) and vars(base)[name].__doc__]
    if not definers[0].__module__.startswith("skvae"):
        return None
    owner = (said or definers)[0]
    return f"{owner.__module__}.{owner.__qualname__}.{name}"


def shown(value: object) -> bool:
    """Whether a member has a docstring: other attributes are told of in that of the class."""
    return callable(value) or isinstance(
        value, property | cached_property | classmethod | staticmethod
    )


def members(cls: type) -> set[str]:
    """Public methods and properties of a class that are of this package."""
    names = {name for name in dir(cls) if not name.startswith("_")} - HOOKS
    names = {name for name in names if not (name.startswith("set_") and name.endswith("_request"))}
    return {source(cls, name) for name in names if shown(getattr(cls, name))} - {None}


def public() -> list[str]:
    """Everything public that has a docstring of its own, each once."""
    found = MADE_HERE | {name for cls in GIVEN_BACK for name in members(cls)}
    for module in modules():
        for name in module.__all__:
            value = getattr(module, name)
            if not isinstance(value, ModuleType):
                found.add(f"{module.__name__}.{name}")
            if inspect.isclass(value):
                found |= members(value)
    return sorted(found)


@pytest.mark.parametrize("name", public())
def test_a_docstring_has_all_that_numpydoc_asks_for(name):
    left_out = LEFT_OUT.keys() | ({"PR01"} if name in MADE_HERE else set())
    errors = validate(name)["errors"]
    assert [f"{code}: {words}" for code, words in errors if code not in left_out] == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_a_module_says_what_is_in_it(module):
    assert module.__doc__.splitlines()[0].endswith(".")


def test_methods_of_estimators_and_of_bases_are_among_what_is_validated():
    names = public()
    assert "skvae._vae.VAETransformer.sample" in names
    assert "skvae.likelihoods._base.Likelihood.log_prob" in names
    assert "skvae.display._fidelity.FidelityDisplay.from_frames" in names
    assert {"skvae._compare.Comparison", "skvae._compare.Comparison.summary"} <= set(names)
    assert "skvae.likelihoods._poisson.Poisson.log_prob" not in names  # inherits its docstring
    assert not any(name.endswith("set_fit_request") for name in names)  # scikit-learn's
