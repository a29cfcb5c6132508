"""
Who answers for those who were not asked?
=========================================

A survey asks some people more often than others: here old women, eight to one. Each row weighs as
many people as it stands for, the inverse of the share of them that was asked. A model that is told
so draws people as they are.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone

from skvae import VAETransformer
from skvae.display import FidelityDisplay

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

# %%
# Two models of the survey: one takes the rows as they are, the other is told what they stand for.
vae = VAETransformer(latent_dim=2, max_iter=60, early_stopping=False, random_state=0)
plain = clone(vae).fit(survey)
weighted = clone(vae).fit(survey, sample_weight=weight)


# %%
# Who is drawn? The weighted model draws the people, the other one those who were asked.
def told(rows):
    """What a reader of the survey would report."""
    return {
        "women": (rows["sex"] == "female").mean(),
        "age": rows["age"].mean(),
        "income": rows["income"].mean(),
        "rows": len(rows),
    }


drawn_plain = plain.sample(10_000, random_state=0)
drawn = weighted.sample(10_000, random_state=0)
print(
    pd.DataFrame(
        {
            "all people": told(people),
            "those asked": told(survey),
            "drawn, without weights": told(drawn_plain),
            "drawn, with weights": told(drawn),
        }
    ).T.round(2)
)
some = people[:4000]
print(
    f"nats per row of 4,000 people: {plain.score(some):.2f} without weights, "
    f"{weighted.score(some):.2f} with weights"
)

# %%
# All people beside those that the model without weights draws: too many women, too old.
_ = FidelityDisplay.from_frames(people, drawn_plain)

# %%
# And beside those that the model with weights draws.
_ = FidelityDisplay.from_frames(people, drawn)
plt.show()
