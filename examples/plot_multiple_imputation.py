"""
Multiple imputation: an interval for a mean, with Rubin's rules
===============================================================

Incomes are missing more often where people are old, and the old earn more. The mean of the incomes
that are there is too low. Filling the holes with what is expected of them mends the mean, but not
its standard error: filled cells look as sure as observed ones. Several draws of the missing cells
tell how unsure they are; Rubin's rules put their results together.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import t

from skvae import VAETransformer

rng = np.random.default_rng(0)
n = 2000
age = rng.uniform(20, 65, n)
income = np.exp(rng.normal(0.03 * age, 0.5))
people = pd.DataFrame({"age": age, "income": income, "spending": income * rng.uniform(0.6, 0.9, n)})
holed = people.copy()
holed.loc[rng.random(n) < (age - 20) / 60, ["income", "spending"]] = np.nan
TRUTH = people["income"].mean()
print(f"{holed['income'].isna().mean():.0%} of incomes are missing")

# %%
# What is learned from few rows is unsure too, so each table is drawn by a model of its own, fitted
# to a bootstrap of the rows. (One model draws several tables in one pass with `n_imputations`:
# quicker, but Rubin's rules then take the model for sure.)


def model(seed):
    """Many holes want a posterior that knows correlations."""
    return VAETransformer(2, posterior="full_gaussian", random_state=seed)


def imputations(table, n=10):
    """Completed tables, each from a model of bootstrapped rows."""
    tables = []
    for seed in range(n):
        rows = table.sample(frac=1, replace=True, random_state=seed)
        tables.append(model(seed).fit(rows).impute(table, seed, draw=True))
    return tables


def pooled(estimates, variances, level=0.95):
    """Mean and interval of an estimate from several imputations, by Rubin's rules."""
    m, mean = len(estimates), np.mean(estimates)
    within, between = np.mean(variances), np.var(estimates, ddof=1)
    total = within + (1 + 1 / m) * between
    df = (m - 1) * (1 + within / ((1 + 1 / m) * between)) ** 2
    half = t.ppf((1 + level) / 2, df) * total**0.5
    return mean, mean - half, mean + half


tables = imputations(holed)
means = [table["income"].mean() for table in tables]
variances = [table["income"].var() / n for table in tables]
mean, low, high = pooled(means, variances)
observed = holed["income"].mean()
print(f"true mean of these rows {TRUTH:.3f}")
print(f"of the observed incomes {observed:.3f}")
print(f"of {len(tables)} imputations {mean:.3f}, 95 % interval {low:.3f} to {high:.3f}")

# %%
# A single missing cell has an interval too: quantiles of its draws.

vae = model(0).fit(holed)
ages = pd.DataFrame({"age": np.arange(20.0, 66.0), "income": np.nan, "spending": np.nan})
lower, median, upper = vae.impute(ages, 0, quantiles=[0.05, 0.5, 0.95])

figure, axes = plt.subplots()
axes.scatter(age, income, s=2, alpha=0.4, label="all rows, missing ones too")
axes.fill_between(ages["age"], lower["income"], upper["income"], alpha=0.3, label="90 % of draws")
axes.plot(ages["age"], median["income"], label="median of draws")
axes.set(xlabel="age", ylabel="income", ylim=(0, np.quantile(income, 0.995)))
axes.legend()
figure.savefig("multiple_imputation.png", dpi=120)
