"""Settings of the site: python -m sphinx -W -b html docs docs/_build/html. Nothing is fetched."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from public import written  # noqa: E402
from sphinx_gallery.sorting import FileNameSortKey  # noqa: E402

import skvae  # noqa: E402
import skvae._component  # noqa: E402

skvae._component.SITE = ".."  # estimators that examples show lead to their pages on this site

project = "skvae"
author = "The skvae developers"
release = version = skvae.__version__
copyright = author

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext"}  # Markdown is included, never a page by itself
exclude_patterns = ["_build", "_templates", "gallery/backreferences", "**sg_execution_times.rst"]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]  # a setting of sphinx-gallery holds a class
default_role = "literal"
html_math_renderer = "mathml"

autosummary_context = {"bases": written(HERE / "api")}
# They are new to a build that goes on from an earlier one, and so are named.
autosummary_generate = [f"api/{path.name}" for path in sorted((HERE / "api").glob("*.rst"))]
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings carry types
numpydoc_show_class_members = False  # the templates list methods

DATA = "SKVAE_DATA"  # the folder of tables that do not ship with scikit-learn


def without_data(folder: Path) -> str:
    """A pattern of the examples that run: all whose tables are at hand."""
    examples = [] if DATA in os.environ else sorted(folder.glob("plot_*.py"))
    fetching = [path.name for path in examples if DATA in path.read_text()]
    return rf"/(?!{'|'.join(map(re.escape, fetching))})plot_" if fetching else "/plot_"


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skvae",),
    "filename_pattern": without_data(HERE.parent / "examples"),
    "within_subsection_order": FileNameSortKey,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skvae"
html_static_path = ["_static"]
html_css_files = ["skvae.css"]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_show_sourcelink = False
html_copy_source = False
html_favicon = "_static/skvae.svg"
html_theme_options = {
    "logo": {
        "text": "skvae",
        "image_light": "_static/skvae.svg",
        "image_dark": "_static/skvae.svg",
    },
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
}
html_sidebars = {"index": []}
