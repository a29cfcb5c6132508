"""
What can be done with a table just as it is read?
=================================================

Orders of a shop, as `read_csv` gives them: text, dates, prices, yes and no, and holes. One model of
all columns draws new rows, fills holes, and predicts a column as one more missing cell;
gradient-boosted trees, made for that one task, stand beside it.
"""

from io import StringIO

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay, ReconstructionDisplay


def shop(n, rng):
    """The file of the shop, which hides what made it."""
    kind = rng.choice(["shoes", "books", "garden", "toys"], n, p=[0.35, 0.3, 0.15, 0.2])
    by_kind = pd.DataFrame(
        {"price": [80, 18, 45, 30], "back": [1.0, -3.0, -1.5, -1.0], "season": [9, 11, 4, 12]},
        index=["shoes", "books", "garden", "toys"],
    ).loc[kind]
    price = by_kind["price"].to_numpy() * rng.lognormal(0, 0.4, n)
    new = rng.random(n) < 0.4
    month = (by_kind["season"].to_numpy() - 1 + rng.normal(0, 2, n).round().astype(int)) % 12
    ordered = pd.to_datetime("2025-01-01") + pd.to_timedelta(
        month * 30 + rng.integers(0, 30, n), "D"
    )
    days = 1 + rng.poisson(np.where(kind == "garden", 6, 2))
    odds = by_kind["back"].to_numpy() + 0.8 * new + 0.25 * (days - 3) + 0.01 * (price - 50)
    table = pd.DataFrame(
        {
            "kind": kind,
            "price": price.round(2),
            "ordered": ordered,
            "delivered": ordered + pd.to_timedelta(days, "D"),
            "customer": np.where(new, "new", "known"),
            "returned": np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), "yes", "no"),
        }
    )
    return table.mask(rng.random(table.shape) < [0.05, 0.1, 0, 0.05, 0.1, 0]).to_csv(index=False)


text = shop(4000, np.random.default_rng(0))
orders = pd.read_csv(StringIO(text), parse_dates=["ordered", "delivered"])
print(orders.head(4).to_string(index=False))
print(f"{len(orders)} rows, {orders.isna().sum().sum()} missing cells")
table, test = train_test_split(orders, test_size=1000, random_state=0)

# %%
# Fit the table as it is, what is to be predicted included.
vae = VAETransformer(latent_dim=8, max_iter=60, early_stopping=False, random_state=0).fit(table)
print(f"log-likelihood of test rows: {vae.score(test):.2f} nats per row")
for column, likelihood in vae.likelihood_.items():
    print(f"{column:10} {likelihood}")

# %%
# New rows, and new rows under a condition. Each column is drawn given the latent point alone, so an
# order and its delivery may come apart: `VAESynthesizer` keeps them together.
print(vae.sample(3, random_state=0).round(2).to_string(index=False))
drawn = vae.sample(1000, random_state=0, given={"kind": "shoes", "customer": "new"})
real = orders.query("kind == 'shoes' and customer == 'new'")
for name, rows in {"drawn": drawn, f"the {len(real)} in the table": real}.items():
    print(f"new customers return {(rows['returned'] == 'yes').mean():.0%} of shoes: {name}")

# %%
# Missing cells, filled with their most likely value or mean.
holed = test[test["kind"].isna()].head(4)
print(holed.to_string(index=False))
print(vae.impute(holed).to_string(index=False))

# %%
# Prediction is imputation: here as log p(row with "yes") - log p(row with "no").
score_yes, score_no = (vae.score_samples(test.assign(returned=value)) for value in ("yes", "no"))
returned = test["returned"] == "yes"


def prepared(rows):
    """What the trees take: categories and numbers."""
    days = (rows["delivered"] - rows["ordered"]).dt.days
    rows = rows.assign(days=days, month=rows["ordered"].dt.month)
    return rows[["kind", "customer", "price", "days", "month"]].astype(
        {"kind": "category", "customer": "category"}
    )


trees = HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype")
trees.fit(prepared(table), table["returned"])
print(
    f"ROC AUC of what is returned: VAE {roc_auc_score(returned, score_yes - score_no):.3f}, "
    f"boosted trees {roc_auc_score(returned, trees.predict_proba(prepared(test))[:, 1]):.3f}"
)

# %%
# What do eight numbers keep of a row?
_ = ReconstructionDisplay.from_estimator(vae, test)

# %%
# Where do the kinds lie? The three dimensions that carry most.
_ = LatentSpaceDisplay.from_estimator(
    vae, test, test["kind"], dims=vae.latent_kl_.argsort()[:-4:-1]
)
plt.show()
