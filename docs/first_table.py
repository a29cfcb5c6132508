"""Prints the tables of the front page: rows of Adult, synthetic ones, and who earns more than 50K.

python docs/first_table.py FILE    # adult.data as UCI has it, zipped or not
"""

import sys

import pandas as pd

from skvae import VAESynthesizer

COLUMNS = {
    0: "age", 3: "education", 5: "marital-status", 6: "occupation", 9: "sex", 12: "hours-per-week",
    14: "income",
}  # fmt: skip
SCHOOLS = ["11th", "Some-college", "Bachelors", "Masters", "Doctorate"]


def shares(rows: pd.DataFrame) -> pd.Series:
    """The share that earns more than 50K, of women, of men, and after some schools."""
    rich = rows["income"] == ">50K"
    by_sex, by_school = (rich.groupby(rows[name]).mean() for name in ("sex", "education"))
    return pd.concat([by_sex, by_school[SCHOOLS]]).round(3)


adult = pd.read_csv(
    sys.argv[1], header=None, usecols=[*COLUMNS], skipinitialspace=True, na_values="?"
).rename(columns=COLUMNS)
synthesizer = VAESynthesizer(random_state=0).fit(adult)
new = synthesizer.sample(30_000, random_state=0)
print(adult.head(4).to_string(), new.head(4).to_string(), sep="\n\n")
print(pd.DataFrame({"real": shares(adult), "synthetic": shares(new)}).T.to_string())
