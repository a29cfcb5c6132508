"""The pages of the API, written from the names that the package makes public."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

PACKAGE = "skvae"
ROOMS = "likelihoods", "priors", "posteriors", "objectives", "schedules"  # of one base class each

INDEX = """API
===

Everything that is public. All estimators follow scikit-learn: ``fit`` learns, attributes that end
in ``_`` are what was learned, and ``get_params``, ``set_params`` and ``clone`` work as usual.

.. toctree::
   :maxdepth: 2

   {pages}
"""

PAGE = """{title}
{line}

.. currentmodule:: {module}

{words}

"""

LIST = """.. autosummary::
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


def page(title: str, words: str, module: str, names: list[str], template: str = "") -> str:
    top = PAGE.format(title=title, line="=" * len(title), words=words, module=module)
    template = template and f":template: {template}"
    return top + LIST.format(template=template, names="\n   ".join(names))


def of_room(name: str, module: ModuleType) -> str:
    """The page of a room; the base class of components has its methods, and stands apart."""
    title, words, path = TITLES.get(name, name.capitalize()), WORDS.get(name, ""), module.__name__
    if name not in ROOMS:
        return page(title, words, path, module.__all__)
    base = base_of(module)
    final = page(title, words, path, [n for n in module.__all__ if n != base], "component.rst")
    return f"{final}\nFor one of your own:\n\n{LIST.format(template='', names=base)}"


def base_of(module: ModuleType) -> str:
    """The class that all others of a room are of."""
    classes = [getattr(module, name) for name in module.__all__]
    return next(c.__name__ for c in classes if all(issubclass(other, c) for other in classes))


def written(folder: Path) -> dict[str, str]:
    """Write the pages of the API; give the base class of each room."""
    package = importlib.import_module(PACKAGE)
    public = {name: getattr(package, name) for name in package.__all__}
    modules = {name: value for name, value in public.items() if inspect.ismodule(value)}
    estimators = [name for name, value in public.items() if hasattr(value, "fit")]
    functions = [name for name in public if name not in {*modules, *estimators}]
    order = sorted(modules, key=lambda name: list(TITLES).index(name) if name in TITLES else -1)
    pages = {
        "estimators": page("Estimators", "What most users need.", PACKAGE, estimators),
        "functions": page(
            "Functions", "Beside the estimators, and tables in blocks.", PACKAGE, functions
        ),
        **{name: of_room(name, modules[name]) for name in order},
    }
    pages["index"] = INDEX.format(pages="\n   ".join(pages))
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f"{name}.rst").write_text(text)
    return {modules[name].__name__: base_of(modules[name]) for name in ROOMS if name in modules}
