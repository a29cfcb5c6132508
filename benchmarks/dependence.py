"""Made tables whose columns depend on each other, and how many rows keep to that."""

import numpy as np
import pandas as pd

ROWS, FEW_ROWS, DRAWN = 3000, 450, 10_000


def places(rng, n, cities=40, countries=8):
    """A city is in its country; some cities are rare."""
    city = rng.choice(cities, n, p=rng.dirichlet(np.ones(cities)))
    return pd.DataFrame(
        {
            "city": [f"city {i}" for i in city],
            "country": [f"country {i % countries}" for i in city],
            "age": rng.normal(40, 10, n).round(),
            "x": rng.normal(size=n),
        }
    )


def stays(rng, n, share=0.01, times=False):
    """An end comes after its start, on average by a share of the range."""
    start, kind = rng.uniform(0, 1000, n), rng.choice([*"abc"], n)
    end = start + rng.exponential(1000 * share, n)
    if times:
        start, end = (
            pd.Timestamp("2020-01-01") + pd.to_timedelta(np.ceil(24 * days), "h")
            for days in (start, end + 1 / 24)
        )
    return pd.DataFrame({"start": start, "end": end, "kind": kind, "x": rng.normal(size=n)})


def calls(rng, n):
    """Days since the last call, -1 where there was none."""
    before = np.where(rng.random(n) < 0.8, 0, rng.poisson(2, n) + 1)
    days = np.where(before == 0, -1, rng.integers(1, 400, n))
    return pd.DataFrame({"age": rng.integers(18, 90, n), "previous": before, "days": days})


def receipts(rng, n):
    """A total is the sum of its parts."""
    net = rng.lognormal(5, 1, n).round(2)
    tax = (net * rng.choice([0.07, 0.19, 0.2], n)).round(2)
    return pd.DataFrame({"net": net, "tax": tax, "total": (net + tax).round(2)})


def in_country(rows):
    number = rows["city"].str.split().str[1].astype(int)
    return number % 8 == rows["country"].str.split().str[1].astype(int)


def after(rows):
    return rows["end"] > rows["start"]


def never_called(rows):
    return (rows["days"] == -1) == (rows["previous"] == 0)


def adds_up(rows):
    return (rows["net"] + rows["tax"] - rows["total"]).abs() < 0.011


CASES = {  # how a table is made of random numbers and a number of rows, and what holds in it
    "city and country": (places, ROWS, in_country),
    f"city and country, {FEW_ROWS} rows": (places, FEW_ROWS, in_country),
    "end after start, 10 % of the range": (lambda *of: stays(*of, share=0.1), ROWS, after),
    "end after start, 1 %": (lambda *of: stays(*of, share=0.01), ROWS, after),
    "end after start, 0.3 %": (lambda *of: stays(*of, share=0.003), ROWS, after),
    "end after start, 1 %, hours": (lambda *of: stays(*of, times=True), ROWS, after),
    "days are -1 where none were before": (calls, ROWS, never_called),
    "net + tax = total to the cent": (receipts, ROWS, adds_up),
}


def kept(generate, name, seed):
    """The shares of real and of synthetic rows in which a dependence holds."""
    make, n, holds = CASES[name]
    table = make(np.random.default_rng(seed), n)
    return holds(table).mean(), holds(generate(table, DRAWN, seed)).mean()
