"""
Does another prior or posterior help with groups?
=================================================

Five groups in two dimensions. A standard normal prior has no gaps, so some of the rows that it
draws lie between the groups. A prior that is learned can leave the gaps out. A posterior that is
bent as it needs to be fits the codes to the prior, and leaves the prior as it is.
"""

import matplotlib.pyplot as plt
import numpy as np

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay

CENTRES = np.array([[np.cos(angle), np.sin(angle)] for angle in np.arange(5) * 2 * np.pi / 5])


def groups(n, rng):
    """Points and the group of each."""
    group = rng.integers(0, 5, n)
    return CENTRES[group] + rng.normal(0, 0.1, (n, 2)), group


rng = np.random.default_rng(0)
X, group = groups(1000, rng)
X_new, _ = groups(1000, rng)
SETTINGS = {
    "normal prior": {},
    "mixture prior": {"prior": "mixture"},
    "flow prior": {"prior": "flow"},
    "flow posterior": {"posterior": "flow"},
}
fixed = {"likelihood": "gaussian", "learning_rate": 0.01, "batch_size": 64, "max_iter": 60}
models = {
    name: VAETransformer(2, early_stopping=False, random_state=0, **fixed, **settings).fit(X)
    for name, settings in SETTINGS.items()
}

# %%
# Which has the higher density of new rows, and how many of the rows that it draws lie in none of
# the groups, four deviations or more from each centre?
for name, vae in models.items():
    drawn = vae.sample(1000, random_state=0)
    nearest = np.linalg.norm(drawn[:, None] - CENTRES, axis=-1).min(axis=1)
    nats = vae.score_samples(X_new, n_draws=32).mean()
    print(f"{name:15} {nats:.2f} nats per new row, {(nearest > 0.4).mean():.0%} drawn between")

# %%
# Above the rows that each model draws, on top of the table in grey; below its latent space, with
# the rows of the table coloured by the group.
figure, axes = plt.subplots(2, 4, figsize=(15, 7.2), layout="constrained")
for (above, below), (name, vae) in zip(axes.T, models.items(), strict=True):
    above.scatter(*X.T, s=4, color="lightgray")
    above.scatter(*vae.sample(1000, random_state=0).T, s=2)
    above.set(title=f"{name}: drawn", aspect="equal", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6))
    LatentSpaceDisplay.from_estimator(vae, X, group, ax=below)
plt.show()
