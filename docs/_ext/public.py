"""The pages of the API, written from the names that the package makes public."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

PACKAGE = "skvae"
ROOMS = "likelihoods", "priors", "posteriors", "objectives", "schedules"  # of one base class each

INDEX = """
API
===

.. currentmodule:: {package}

Everything that is public. All estimators follow scikit-learn: ``fit`` learns, attributes that end
in ``_`` are what was learned, and ``get_params``, ``set_params`` and ``clone`` work as usual.

{sections}"""

SECTION = """
{title}
{line}

.. currentmodule:: {module}

{words}

.. autosummary::
   :toctree: generated
   :nosignatures:
   {template}

   {names}
"""

TITLES = {
    "display": "Pictures",
    "likelihoods": "Likelihoods: p(x | z)",
    "priors": "Priors: p(z)",
    "posteriors": "Posteriors: q(z | x)",
    "objectives": "Objectives",
    "schedules": "Schedules of beta",
    "callbacks": "Callbacks",
}

WORDS = {
    "likelihoods": "What a cell is distributed like, given the latent point. "
    ":doc:`/guide/likelihoods` helps to choose.",
    "priors": "What latent points are distributed like before a row is seen.",
    "posteriors": "What the latent point of a row is distributed like.",
    "objectives": "What training maximises.",
    "schedules": "How the weight of the KL term moves while training: values of ``beta``.",
    "callbacks": "For ``set_callbacks`` of scikit-learn 1.9.",
    "display": "One line for each picture; they need matplotlib.",
}


def section(title: str, words: str, module: str, names: list[str], template: str = "") -> str:
    return SECTION.format(
        title=title,
        line="-" * len(title),
        words=words,
        module=module,
        template=template and f":template: {template}",
        names="\n   ".join(names),
    )


def room(name: str, module: ModuleType) -> str:
    """The section of a room; the base class of a room of components stands first."""
    title, words = TITLES.get(name, name.capitalize()), WORDS.get(name, "")
    names, path = list(module.__all__), module.__name__
    if name not in ROOMS:
        return section(title, words, path, names)
    bases = [known for known in names if known == base_of(module)]
    rest = [known for known in names if known not in bases]
    base = SECTION.split(".. autosummary", 1)[1].format(template="", names="\n   ".join(bases))
    return (
        section(title, words, path, rest, "component.rst")
        + "\nThe base class, for one of your own:\n\n.. autosummary"
        + base
    )


def base_of(module: ModuleType) -> str:
    """The class that all others of a room are of."""
    classes = [getattr(module, name) for name in module.__all__]
    return next(c.__name__ for c in classes if all(issubclass(other, c) for other in classes))


def written(folder: Path) -> dict[str, str]:
    """Write the index of the API; give the base class of each room."""
    package = importlib.import_module(PACKAGE)
    public = {name: getattr(package, name) for name in package.__all__}
    modules = {name: value for name, value in public.items() if inspect.ismodule(value)}
    estimators = [name for name, value in public.items() if inspect.isclass(value)]
    functions = [name for name in public if name not in {*modules, *estimators}]
    sections = [
        section("Estimators", "What most users need.", PACKAGE, estimators),
        section("Functions", "", PACKAGE, functions),
    ]
    order = [name for name in TITLES if name in modules]
    order += [name for name in modules if name not in TITLES]
    sections += [room(name, modules[name]) for name in order]
    text = INDEX.format(package=PACKAGE, sections="".join(sections))
    folder.mkdir(exist_ok=True)
    (folder / "index.rst").write_text(text)
    return {modules[name].__name__: base_of(modules[name]) for name in ROOMS if name in modules}
