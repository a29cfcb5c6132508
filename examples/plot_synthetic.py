"""
Are these synthetic rows good enough?
=====================================

Rows to hand on in place of the real ones. Whether they are good enough is told by real rows that
were kept away from the model: the floor. Nothing can be expected to do better than they.
"""

from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from skvae import VAESynthesizer, compare
from skvae.display import FidelityDisplay

rng = np.random.default_rng(0)
n = 2400
city = rng.choice(["Lyon", "Nice", "Bonn", "Graz"], n, p=[0.4, 0.3, 0.2, 0.1])
age = rng.gamma(9, 5, n).clip(18, 90)
joined = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3000, n), "D")
income = np.exp(9.2 + 0.02 * age + rng.normal(0, 0.4, n))
income[rng.random(n) < 0.15] = np.nan
customers = pd.DataFrame(
    {
        "city": city,
        "country": pd.Series(city).map({"Bonn": "D", "Graz": "A"}).fillna("F"),
        "age": age.astype(int),
        "joined": joined,
        "last_seen": joined + pd.to_timedelta(rng.exponential(200, n).astype(int), "D"),
        "income": income.round(-2),
        "premium": rng.random(n) < 1 / (1 + np.exp(4 - age / 12)),
    }
)
train, test = train_test_split(customers, test_size=800, random_state=0)

# %%
# Fit and draw. The table goes in as it is, and rows like it come out.
synthesizer = VAESynthesizer(random_state=0).fit(train)
synthetic = synthesizer.sample(len(train), random_state=0)
print(synthetic.head().to_string(index=False))

# %%
# Look at them: columns by themselves, in pairs, and missing cells.
_ = FidelityDisplay.from_frames(train, synthetic)

# %%
# The report. What stands in the column "floor" is what real rows would get.
if find_spec("sdmetrics") is None:
    print("The report needs sdmetrics: pip install '.[report]'")
else:
    report = compare(train, synthetic, test=test, target="premium")
    print(report)

# %%
# What belongs together stays together: a city and its country, a first day and a last one.
if find_spec("sdmetrics") is not None:
    print(report.dependence.to_string())
    report.to_html("report.html")
    print("the whole of it with pictures: report.html")
plt.show()
