"""Small tables that each likelihood can give."""

import numpy as np
import pandas as pd

RNG = np.random.default_rng(0)
N = 200
NORMAL = RNG.normal(size=(N, 3))
POSITIVE = np.exp(NORMAL)
COUNTS = RNG.poisson(3, (N, 3)) * (RNG.random((N, 3)) < 0.7)
SHARES = RNG.uniform(0.05, 0.95, (N, 3))
ORDERED = pd.DataFrame({"o": pd.Categorical(RNG.choice(list("abc"), N), list("cab"), ordered=True)})
BY_LIKELIHOOD = {
    "bernoulli": COUNTS > 2,
    "beta": SHARES,
    "categorical": COUNTS,
    "continuous_bernoulli": SHARES,
    "gaussian": NORMAL,
    "histogram": COUNTS,
    "laplace": NORMAL,
    "lognormal": POSITIVE,
    "negative_binomial": COUNTS,
    "ordinal": ORDERED,
    "poisson": COUNTS,
    "student_t": NORMAL,
    "warped_gaussian": NORMAL,
    "zero_inflated": COUNTS,
}
