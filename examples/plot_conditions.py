"""
What would a flat like this cost, and what if it were elsewhere?
================================================================

A model of all columns answers any question of the form "given these cells, what are the others?".
The conditions need not be known when the model is fitted.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skvae import VAETransformer
from skvae.display import FidelityDisplay

rng = np.random.default_rng(0)
n = 2000
district = rng.choice(["centre", "north", "harbour"], n, p=[0.3, 0.5, 0.2])
rooms = np.where(district == "centre", rng.integers(1, 4, n), rng.integers(1, 6, n))
area = rng.normal(12 + 20 * rooms, 8)
per_metre = pd.Series(district).map({"centre": 21, "north": 13, "harbour": 16}).to_numpy()
flats = pd.DataFrame({"district": district, "rooms": rooms, "area": area.round(1)})
flats["rent"] = (per_metre * area * rng.normal(1, 0.1, n)).round()
vae = VAETransformer(
    4,
    prior="mixture",
    hidden_layer_sizes=64,
    learning_rate=0.01,
    batch_size=64,
    max_iter=80,
    early_stopping=False,
    random_state=0,
).fit(flats)

# %%
# Rows under a condition
# ----------------------
# 500 flats of three rooms in the centre. They have these cells exactly; the others are drawn.
given = {"district": "centre", "rooms": 3}
drawn = vae.sample(500, random_state=0, given=given)
print(drawn.head(3).round(1).to_string(index=False))
same = flats.query("district == 'centre' and rooms == 3")
for name, rows in {"drawn": drawn, f"the {len(same)} in the table": same}.items():
    low, high = rows["rent"].quantile([0.05, 0.95])
    print(f"{name}: mean rent {rows['rent'].mean():.0f}, nine of ten from {low:.0f} to {high:.0f}")

# %%
# Are they like the flats in the table that meet the condition?
_ = FidelityDisplay.from_frames(same, drawn, columns=["area", "rent"])

# %%
# What if?
# --------
# Conditions in a frame: flats in each district, of 30 to 110 square metres. In the centre none is
# larger than about 95: what the model says beyond that has nothing behind it.
areas = np.linspace(30, 110, 9)
figure, axes = plt.subplots(layout="constrained")
for name in ["centre", "harbour", "north"]:
    conditions = pd.DataFrame({"district": name, "area": areas}, columns=flats.columns)
    low, median, high = vae.impute(conditions, random_state=0, quantiles=[0.05, 0.5, 0.95])
    axes.plot(areas, median["rent"], label=name)
    axes.fill_between(areas, low["rent"], high["rent"], alpha=0.2)
axes.set(xlabel="area", ylabel="rent: median, and nine of ten")
_ = axes.legend()

# %%
# This is what goes together in the table. It is not what would happen if something were changed: a
# flat with a wall more has more rooms, and no more space.
for n_rooms in (2, 4):
    rows = vae.sample(500, random_state=0, given={"district": "north", "rooms": n_rooms})
    print(
        f"{n_rooms} rooms in the north: {rows['area'].mean():.0f} square metres, "
        f"rent {rows['rent'].mean():.0f}"
    )

# %%
# How likely is a condition?
# --------------------------
# The score of a row with holes in all other cells. Five rooms in the centre were never seen.
wished = pd.DataFrame({"district": ["north", "centre"], "rooms": [5, 5]}, columns=flats.columns)
print("nats:", vae.score_samples(wished).round(1))
plt.show()
