"""
What is the mean of incomes when many are missing, and how sure is it?
======================================================================

Incomes are missing more often where people are old, and the old earn more. The mean of the incomes
that are there is too low. Filling the holes with what is expected of them mends the mean, but not
its standard error: filled cells look as sure as observed ones. Several draws of the missing cells
tell how unsure they are; Rubin's rules put their results together. `IterativeImputer` of
scikit-learn does the same with linear regressions.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from skvae import VAETransformer
from skvae.display import FidelityDisplay

rng = np.random.default_rng(0)
n = 1000
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
    return VAETransformer(
        2, posterior="full_gaussian", max_iter=60, early_stopping=False, random_state=seed
    )


def by_vae(rows, seed):
    """The table completed by a model of these rows."""
    return model(seed).fit(rows).impute(holed, seed, draw=True)


def by_regressions(rows, seed):
    """The same with linear regressions of each column on the others."""
    imputer = IterativeImputer(sample_posterior=True, max_iter=20, random_state=seed).fit(rows)
    return pd.DataFrame(imputer.transform(holed), columns=holed.columns)


def imputations(impute, m=8):
    """Completed tables, each from a model of bootstrapped rows."""
    resampled = (holed.sample(frac=1, replace=True, random_state=seed) for seed in range(m))
    return [impute(rows, seed) for seed, rows in enumerate(resampled)]


def pooled(estimates, variances, level=0.95):
    """Mean and interval of an estimate from several imputations, by Rubin's rules."""
    m, mean = len(estimates), np.mean(estimates)
    within, between = np.mean(variances), np.var(estimates, ddof=1)
    total = within + (1 + 1 / m) * between
    df = (m - 1) * (1 + within / ((1 + 1 / m) * between)) ** 2
    half = t.ppf((1 + level) / 2, df) * total**0.5
    return mean, mean - half, mean + half


# %%
# The mean and its interval. That of the observed incomes is too low; both intervals hold the true
# one. But regressions draw from normal distributions, and so incomes below 0.
print(f"true mean of these rows: {TRUTH:.3f}")
print(f"of the observed incomes: {holed['income'].mean():.3f}")
tables = {"VAE": imputations(by_vae), "regressions": imputations(by_regressions)}
for name, completed in tables.items():
    means = [table["income"].mean() for table in completed]
    mean, low, high = pooled(means, [table["income"].var() / n for table in completed])
    negative = np.mean([(table["income"] < 0).mean() for table in completed])
    print(
        f"{name:12} {mean:.3f}, 95 % interval {low:.3f} to {high:.3f}; "
        f"{negative:.1%} of incomes below 0"
    )

# %%
# Are completed tables like the one without holes? A table of the model, beside the truth.
_ = FidelityDisplay.from_frames(people, tables["VAE"][0])

# %%
# And a table of the regressions.
_ = FidelityDisplay.from_frames(people, tables["regressions"][0])

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
_ = axes.legend()
plt.show()
