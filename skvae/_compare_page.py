"""A comparison as a page of HTML that needs nothing else."""

import base64
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from skvae._compare_rules import AT_MOST, DETERMINES
from skvae._compare_tables import BOTH, Case, figures
from skvae.display._fidelity import FidelityDisplay, compared
from skvae.display._tables import DURATION, TIME

DASH = "-"
WIDTH = 12.5  # of the pictures, in inches
LONGEST = 30  # rows of a table that are shown
FIGURES = {  # what is ideal, and what it means
    "column shapes": (
        "1",
        "How alike the distributions of single columns are: the mean score of sdmetrics.",
    ),
    "column pair trends": (
        "1",
        "How alike two columns go together: the mean score of sdmetrics over pairs that do in the "
        "real rows, which may be few.",
    ),
    "missing cells, largest difference": (
        "0",
        "By how much the share of rows in which a column, or two together, are missing differs "
        "from that of the real rows, at most.",
    ),
    "determined cells kept": (
        "1",
        "The share of rows in which a column that is determined by another one is what it is in "
        "the real rows, in the mean of such pairs.",
    ),
    "orders kept": (
        "1",
        "The share of rows in which one column is at most another, where it always is in the real "
        "rows, in the mean of such pairs.",
    ),
    "two-sample score": (
        "1",
        "Whether boosted trees can tell the rows from real ones: 2 (1 - AUC), 0 where they always "
        "can.",
    ),
    "utility, ROC AUC": (
        "floor",
        "How well boosted trees that learned from the rows tell the classes of the target in real "
        "rows; the floor learned from real rows.",
    ),
    "utility, R2": (
        "floor",
        "How well boosted trees that learned from the rows predict the target in real rows; the "
        "floor learned from real rows.",
    ),
    "nearer to real rows": (
        "0.5",
        "The share of rows that are nearer to a real row learned from than to one held out, as if "
        "there were as many; 1 is copying.",
    ),
    "distance to real rows": (
        "1",
        "The median distance to the nearest real row, over that of rows held out; 0 is copying. "
        "The floor is that of one half of these over the other's. There is none where most rows "
        "held out repeat real ones.",
    ),
    "exact copies": (
        "floor",
        "The share of rows whose cells are all those of a real row.",
    ),
    "singled out": (
        "floor",
        "How often the cells of a row in three columns are those of one real row and of no other. "
        "Rows held out do so by chance.",
    ),
}
PARTS = {  # headings, and what is said below them
    "shapes": ("Columns", "1 is ideal. The worst come first."),
    "pairs": (
        "Pairs of columns",
        "1 is ideal. The worst come first. Pairs that have less to do with each other in the real "
        "rows than sdmetrics asks for have no score.",
    ),
    "holes": ("Missing cells", "Shares of rows in which a column, or two together, are missing."),
    "dependence": (
        "What always holds",
        "Shares of rows in which it holds. In the real rows it does in all, by no chance.",
    ),
    "two_samples": ("Telling rows from real ones", "By boosted trees, in three folds."),
    "utility": ("Use for learning", "Scores on real rows."),
    "privacy": ("Privacy", "Beside what real rows give that were held out."),
}
STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6472; --line: #dde1e7; --back: #fff;
  --card: #f5f7fa; --mark: #0b62a8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --soft: #a3acb9; --line: #39424e;
  --back: #14181e; --card: #1e242c; --mark: #7cc0f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; color: var(--ink);
  background: var(--back); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr));
  margin-top: 1.25rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .75rem 1rem; }
.card h3 { font-size: .95rem; margin: 0; } .card p { font-size: .85rem; margin: .25rem 0 0; }
.card b { font-size: 1.7rem; color: var(--mark); font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .9rem; margin-left: .5rem; white-space: nowrap; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .75rem; text-align: left; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.wide img { min-width: 50rem; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: .5rem; }
"""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # nothing runs, nothing loads
)


def summary(comparison: Any) -> pd.DataFrame:
    """The figures in one table."""
    parts = [
        comparison.quality.rename(index=str.lower),
        _largest_gap(comparison.holes),
        _rules_kept(comparison.dependence),
        comparison.two_samples.iloc[:1],
        comparison.utility.rename(index="utility, {}".format),
        comparison.privacy,
    ]
    table = pd.concat([part for part in parts if len(part)])
    return table.assign(ideal=[FIGURES[name][0] for name in table.index])


def _largest_gap(holes: pd.DataFrame) -> pd.DataFrame:
    """By how much shares of missing cells differ."""
    gaps = holes[BOTH].sub(holes.real, "index").abs().max()
    return figures({"missing cells, largest difference": gaps}).dropna(how="all")


def _rules_kept(dependence: pd.DataFrame) -> pd.DataFrame:
    """The mean share of rows that keep rules of each kind."""
    kept = dependence.groupby("rule")[BOTH].mean()
    return kept.rename({DETERMINES.name: "determined cells kept", AT_MOST.name: "orders kept"})


def pictured(frames: dict, case: Case) -> tuple:
    """What pictures of both tables are drawn from: counts, but no rows."""
    times = [name for name, kind in case.kinds.items() if kind in (TIME, DURATION)]
    both = ("real", "synthetic")
    return compared(*(case.tables[name].assign(**frames[name][times]) for name in both))


def scored_pairs(pairs: pd.DataFrame) -> str:
    """How many pairs the mean score is of."""
    n = pairs["synthetic"].count()
    return (
        f"{n:,} of {len(pairs):,} pairs of columns go together in the real rows and have a score."
    )


def _counted(n_rows: dict) -> str:
    """How many rows there are of each table."""
    names = {"real": "real rows", "synthetic": "synthetic ones", "test": "held out"}
    return ", ".join(f"{n:,} {names[table]}" for table, n in n_rows.items())


def to_html(comparison: Any, n_rows: dict, drawn: tuple) -> str:
    """The whole page."""
    cards = "".join(map(_card, *zip(*comparison.summary().iterrows(), strict=True)))
    parts = "".join(_part(name, getattr(comparison, name)) for name in PARTS)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Synthetic rows beside real ones</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head><body>
<h1>Synthetic rows beside real ones</h1>
<p>{_counted(n_rows)}. The floor is what real rows give that were held out: synthetic rows need not
be better. {scored_pairs(comparison.pairs)}</p>
<div class="cards">{cards}</div>
<h2>Pictures</h2>
{_pictures(drawn)}
{parts}
</body></html>
"""


def shown(table: pd.DataFrame) -> str:
    """A table in HTML; the names in it are text and nothing else."""
    names = not isinstance(table.index, pd.RangeIndex)
    body = table.to_html(border=0, index=names, na_rep=DASH, float_format=_number)
    return f'<div class="wide">{body}</div>'


def _card(name: str, figure: pd.Series) -> str:
    """A figure, large, and what it means."""
    ideal, meaning = FIGURES[name]
    synthetic, floor = map(_number, figure[["synthetic", "floor"]])
    return (
        f'<div class="card"><h3>{name}</h3><b>{synthetic}</b><span>floor {floor}</span>'
        f"<span>ideal: {ideal}</span><p>{meaning}</p></div>"
    )


def _number(x: float) -> str:
    """Three decimals, or a dash."""
    return DASH if np.isnan(x) else f"{x:.3f}"


def _part(name: str, table: pd.DataFrame) -> str:
    """A part's table, with a heading."""
    heading, meaning = PARTS[name]
    if name in ("shapes", "pairs"):
        table = table.dropna(subset="synthetic").sort_values("synthetic", ignore_index=True)
    left = len(table) - LONGEST
    more = f"<p>And {left:,} more in <code>{name}</code>.</p>" if left > 0 else ""
    body = shown(table.head(LONGEST).dropna(axis=1, how="all")) if len(table) else "<p>None.</p>"
    return f"<h2>{heading}</h2><p>{meaning}</p>{body}{more}"


def _pictures(drawn: tuple) -> str:
    """Pictures of both tables, in the page itself."""
    if find_spec("matplotlib") is None:
        return "<p>Pictures are left out, since matplotlib is not installed.</p>"
    from matplotlib.figure import Figure

    display, png = FidelityDisplay(*drawn), BytesIO()
    figure = Figure((WIDTH, 2.3 * -(-len(display.columns) // 4) + 4.8), layout="constrained")
    display.plot(figure.subplots())
    figure.savefig(png, format="png", dpi=120)
    data = base64.b64encode(png.getvalue()).decode()
    source = f"data:image/png;base64,{data}"
    return f'<div class="wide"><img alt="Real and synthetic columns" src="{source}"></div>'
