"""What a user's type checker sees: mypy checks this file, and nothing runs it."""

from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd

import skvae
from skvae import (
    VAEImputer,
    VAEOutlierDetector,
    VAESynthesizer,
    VAETransformer,
    display,
    likelihoods,
    objectives,
    priors,
    schedules,
)
from skvae.callbacks import Checkpoint


def learned(frame: pd.DataFrame) -> VAETransformer:
    """A fitted model, with parts of all kinds."""
    vae = VAETransformer(
        3,
        likelihood={"age": "poisson", "income": likelihoods.Laplace(scale="cell")},
        prior=priors.Mixture(n_components=20),
        objective=objectives.Capacity(nats=5, weight=10.0),
        beta=schedules.LinearWarmup(n_epochs=5, beta=2.0),
        random_state=0,
    )
    vae.set_callbacks(Checkpoint(Path("fit.checkpoint"), every=60, unit="seconds"))
    return assert_type(vae.fit(frame, sample_weight=np.ones(len(frame))), VAETransformer)


def used(vae: VAETransformer, frame: pd.DataFrame) -> float:
    """All that a model does."""
    Z = vae.transform(frame)
    vae.inverse_transform(Z)
    vae.sample(10, given={"age": 30})
    vae.impute(frame, draw=True, n_imputations=5)
    assert_type(vae.score_samples(frame), np.ndarray)
    vae.score_cells(frame, n_draws=32)
    return assert_type(vae.score(frame), float)


def around(frame: pd.DataFrame, vae: VAETransformer) -> np.ndarray:
    """Estimators around a model."""
    assert_type(VAEImputer(vae, draw=True).fit(frame), VAEImputer).transform(frame)
    assert_type(VAESynthesizer().fit(frame), VAESynthesizer).sample(5)
    detector = VAEOutlierDetector(contamination=0.05).fit(frame)
    assert_type(detector.decision_function(frame), np.ndarray)
    detector.explain(frame, n_draws=32)
    return assert_type(detector.predict(frame), np.ndarray)


def judged(frame: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """A report on synthetic rows."""
    comparison = skvae.compare(frame, synthetic, test=frame, target="age")
    comparison.to_html(Path("report.html"))
    comparison.summary()


def pictured(vae: VAETransformer, frame: pd.DataFrame) -> None:
    """Displays."""
    detector = VAEOutlierDetector(vae).fit(frame)
    assert_type(display.LossCurveDisplay.from_estimator(vae), display.LossCurveDisplay)
    display.OutlierDisplay.from_estimator(detector, frame, row=3, n=5)
    display.FidelityDisplay.from_frames(frame, vae.sample(10))
    display.ManifoldDisplay.from_estimator(vae)


def told(vae: VAETransformer) -> list[str]:
    """Functions."""
    assert_type(skvae.show_versions(), None)
    skvae.to_onnx(vae, part="transform")
    return assert_type(skvae.trusted_types(), list[str])


# What is wrong is found: a line of these that is right would be an unused "ignore".
priors.Mixture(n_components="many")  # type: ignore[arg-type]
Checkpoint("a", every="often")  # type: ignore[arg-type]
skvae.to_onnx("a model")  # type: ignore[arg-type]
VAETransformer(latent_dims=3)  # type: ignore[call-arg]
VAETransformer().fit()  # type: ignore[call-arg]
skvae.compare()  # type: ignore[call-arg]
VAEOutlierDetector().explain()  # type: ignore[call-arg]
