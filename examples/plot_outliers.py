"""
Which rows are odd, and why?
============================

A table of diamonds, in which a few cells were spoiled: each is a value that another diamond has, so
that no column looks odd by itself. The detector finds the rows, and names the cells.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skvae import VAEOutlierDetector
from skvae.display import LatentSpaceDisplay, OutlierDisplay

rng = np.random.default_rng(0)
n = 3000
carat = rng.lognormal(-0.4, 0.5, n).clip(0.2, 4)
length = 6.4 * carat ** (1 / 3) * rng.normal(1, 0.01, n)
height = 0.62 * length * rng.normal(1, 0.02, n)
cut = rng.choice(["fair", "good", "ideal"], n, p=[0.1, 0.3, 0.6])
bonus = pd.Series(cut).map({"fair": 0.8, "good": 1.0, "ideal": 1.2}).to_numpy()
diamonds = pd.DataFrame(
    {
        "carat": carat.round(2),
        "length": length.round(2),
        "width": (length * rng.normal(1, 0.01, n)).round(2),
        "height": height.round(2),
        "cut": cut,
        "price": (4000 * carat**1.7 * bonus * rng.normal(1, 0.08, n)).round(),
    }
)

# %%
# Spoil one cell in each of 30 rows: the number of a diamond that is far larger or smaller.
numbers = ["carat", "length", "width", "height", "price"]
spoiled = diamonds.copy()
rows = rng.choice(n, 30, replace=False)
columns = rng.choice(numbers, 30)
for row, column in zip(rows, columns, strict=True):
    rank = diamonds[column].rank(pct=True)
    far = diamonds.index[(rank - rank[row]).abs() > 0.4]
    spoiled.loc[row, column] = diamonds.loc[rng.choice(far), column]

# %%
# Find them. Nothing tells the detector which rows they are, but for how many there may be.
detector = VAEOutlierDetector(contamination=0.01, random_state=0).fit(spoiled)
odd = np.flatnonzero(detector.predict(spoiled) < 0)
print(f"{len(set(odd) & set(rows))} of the {len(rows)} spoiled rows are among {len(odd)} outliers")

# %%
# Explain them: what each cell costs, in nats, given the others of its row.
costs = detector.explain(spoiled.loc[rows])
print(costs.head(5).round(1).to_string())
named = (costs.idxmax(axis=1) == columns).sum()
print(f"the cell that costs most is the spoiled one in {named} of {len(rows)} rows")

# %%
# The oddest row in a picture, and an ordinary one beside it.
worst = rows[detector.score_samples(spoiled.loc[rows]).argmin()]
column = columns[rows == worst].item()
print(f"row {worst}: {column} was {diamonds.loc[worst, column]:g} before it was spoiled")
_ = OutlierDisplay.from_estimator(detector, spoiled, worst)

# %%
ordinary = int(np.setdiff1d(np.arange(n), rows)[0])
_ = OutlierDisplay.from_estimator(detector, spoiled, ordinary)

# %%
# What would stand there in an ordinary row is what `impute` fills an emptied cell with.
row, column = rows[0], columns[0]
emptied = spoiled.loc[[row]].assign(**{column: None})
filled = detector.vae_.impute(emptied)[column].item()
print(
    f"row {row}, {column}: {spoiled.loc[row, column]:.2f} in the table, "
    f"{filled:.2f} would go with the others, {diamonds.loc[row, column]:.2f} before it was spoiled"
)

# %%
# The latent space tells less: many of the odd rows lie among the others there, since a latent point
# is what a row would be if it were an ordinary one.
told = pd.Series("ordinary", index=spoiled.index, name="row")
told[rows] = "spoiled"
dims = detector.vae_.latent_kl_.argsort()[:-3:-1]
_ = LatentSpaceDisplay.from_estimator(detector, spoiled, told, dims=dims)
plt.show()
