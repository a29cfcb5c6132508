"""
A table as it comes: new rows, conditions, holes and a prediction
=================================================================

The Adult table has numbers, labels and missing cells. One model of all its columns draws new
rows, draws rows under a condition, fills holes, and predicts the income as one more missing
cell; gradient-boosted trees, made for that one task, stand beside it.

The table comes from the folder named by the environment variable SKVAE_DATA, else from OpenML.
"""

import os

import pandas as pd
from sklearn.datasets import fetch_openml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skvae import VAETransformer

NAMES = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race sex "
)
NAMES += "capital-gain capital-loss hours-per-week native-country class"


def adult():
    """The Adult table, 32,561 rows."""
    if "SKVAE_DATA" not in os.environ:
        return fetch_openml("adult", version=2, as_frame=True).frame.head(32_561)
    path = os.environ["SKVAE_DATA"] + "/tabular/adult.data.gz"
    return pd.read_csv(path, header=None, names=NAMES.split(), skipinitialspace=True, na_values="?")


table, test = train_test_split(adult(), train_size=12_000, test_size=4_000, random_state=0)
print(f"{table.shape[0]} rows, {table.shape[1]} columns, {table.isna().sum().sum()} missing cells")

# %%
# Fit the table as it is, income included.
vae = VAETransformer(latent_dim=16, max_iter=30, random_state=0).fit(table)
print(f"log-likelihood of test rows: {vae.score(test):.2f} nats per row")

# %%
# New rows, and new rows under a condition.
print("\nNew rows:")
print(vae.sample(3, random_state=0).to_string(index=False))
print("\nWomen with a doctorate:")
given = {"sex": "Female", "education": "Doctorate"}
drawn = vae.sample(1000, random_state=0, given=given)
print(drawn.head(3).to_string(index=False))
real = table.query("sex == 'Female' and education == 'Doctorate'")
shares = [(rows["class"] == ">50K").mean() for rows in (drawn, real)]
print(
    f"share that earns more than 50K: {shares[0]:.2f}; "
    f"in the table, of {len(real)} rows, {shares[1]:.2f}"
)

# %%
# Missing cells, filled with their most likely value or drawn.
holes = test[test["occupation"].isna()].head(3)
print("\nOccupation and workclass, missing, and filled:")
print(vae.impute(holes)[["age", "education", "workclass", "occupation"]].to_string(index=False))

# %%
# Prediction is imputation: here as log p(row with >50K) - log p(row with <=50K).
log_odds = vae.score_samples(test.assign(**{"class": ">50K"})) - vae.score_samples(
    test.assign(**{"class": "<=50K"})
)
rich = test["class"] == ">50K"
X, X_test = (
    t.drop(columns="class").astype(
        {c: "category" for c in t.select_dtypes(exclude="number") if c != "class"}
    )
    for t in (table, test)
)
trees = HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype").fit(
    X, table["class"]
)
print(
    f"\nROC AUC of the income: VAE {roc_auc_score(rich, log_odds):.3f}, "
    f"boosted trees {roc_auc_score(rich, trees.predict_proba(X_test)[:, 1]):.3f}"
)
