"""
How is a model fitted to a file that does not fit into memory?
==============================================================

`partial_fit` makes one pass over a piece of the rows. pandas reads a file in pieces, so that no
more than one of them is in memory at a time.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skvae import VAETransformer
from skvae.display import LossCurveDisplay


def trips(n, rng):
    """Rides of a taxi: fares and times go with the distance."""
    km = rng.gamma(2, 2, n)
    night = rng.random(n) < 0.25
    minutes = km * rng.normal(3 - night, 0.3, n).clip(1) + rng.exponential(2, n)
    fare = 3 + 1.6 * km + 0.3 * minutes + 2 * night + rng.normal(0, 0.3, n)
    payment = np.where(rng.random(n) < 0.3 + 0.3 * night, "cash", "card")
    columns = {"km": km, "minutes": minutes, "fare": fare, "night": night, "payment": payment}
    return pd.DataFrame(columns).round(2)


rng = np.random.default_rng(0)
folder = TemporaryDirectory()
path = Path(folder.name) / "trips.csv"
trips(40_000, rng).to_csv(path, index=False)
new = trips(2000, rng)
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %%
# Five passes over the file, in pieces of 5,000 rows. The first piece says what columns hold:
# scales, ranges and labels. Rows should come in random order, as they do here.
vae = VAETransformer(latent_dim=2, random_state=0)
for n_passes in range(1, 6):
    for piece in pd.read_csv(path, chunksize=5000):
        vae.partial_fit(piece)
    print(f"pass {n_passes}: {vae.score(new):.3f} nats per new row")

# %%
# The whole table at once, for as many epochs. It is no better by much; its learning rate falls in
# the end, which nobody can tell `partial_fit`.
whole = VAETransformer(latent_dim=2, max_iter=5, early_stopping=False, random_state=0)
print(f"fit: {whole.fit(pd.read_csv(path)).score(new):.3f} nats per new row")
folder.cleanup()

# %%
# The loss, a point for each piece.
_ = LossCurveDisplay.from_estimator(vae)
plt.show()
