"""
Rows that weigh
===============

A survey that asks some people more often than others, and a model of all of them.

Old women are over-sampled here, eight to one. Each row weighs as many people as it stands for, the
inverse of the share of them that was asked. A model that is told so draws people as they are.
"""

import numpy as np
import pandas as pd

from skvae import VAETransformer

rng = np.random.default_rng(0)
n = 20_000
age = rng.gamma(6.0, 7.0, n).clip(18, 95).round()
people = pd.DataFrame(
    {
        "sex": rng.choice(["female", "male"], n),
        "age": age,
        "income": np.exp(10 + 0.02 * age - 0.0003 * age**2 + rng.normal(0, 0.4, n)).round(),
    }
)
share = np.where((people["sex"] == "female") & (people["age"] > 60), 0.4, 0.05)
asked = rng.random(n) < share
survey, weight = people[asked], 1 / share[asked]

plain = VAETransformer(latent_dim=2, random_state=0).fit(survey)
weighted = VAETransformer(latent_dim=2, random_state=0).fit(survey, sample_weight=weight)


def told(rows):
    return {
        "women": (rows["sex"] == "female").mean(),
        "age": rows["age"].mean(),
        "income": rows["income"].mean(),
        "rows": len(rows),
    }


print(
    pd.DataFrame(
        {
            "all people": told(people),
            "those asked": told(survey),
            "drawn, without weights": told(plain.sample(20_000, random_state=0)),
            "drawn, with weights": told(weighted.sample(20_000, random_state=0)),
        }
    ).T.round(2)
)
print("nats a row of all people: without weights", round(plain.score(people), 2))
print("with weights", round(weighted.score(people), 2))
