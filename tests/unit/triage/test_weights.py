"""The shipped weights belong to the bank, the lexicon, the rules and the script that are shipped beside them."""

from __future__ import annotations

import numpy as np
import pytest

from actors.engines.triage import bank, model, train
from actors.engines.triage.lexicon import AREAS


@pytest.fixture(scope="module")
def weights() -> model.Model:
    return model.load()


def test_the_weights_were_made_from_this_bank_by_this_script(weights: model.Model) -> None:
    assert weights.provenance == train.provenance()


def test_the_weights_are_small() -> None:
    assert model.PATH.stat().st_size < 3_000_000


def test_the_weights_know_what_they_were_taught(weights: model.Model) -> None:
    stories = bank.narratives()[::40]
    data = train.corpus(stories, train.Encoder(), weights)
    answers = [AREAS[int(weights.area.probabilities(s).argmax())] for s in data.samples]
    right = sum(answer == story.area for answer, story in zip(answers, stories, strict=True))
    assert right / len(stories) > 0.95


def test_weights_of_other_features_are_refused(weights: model.Model, tmp_path: object) -> None:
    old = model.Model(
        weights.area, weights.urgency, weights.word_idf, weights.char_idf, weights.provenance | {"features": -1}
    )
    path = tmp_path / "old.npz"  # type: ignore[operator]
    model.save(old, path)
    with pytest.raises(ValueError, match="features version -1"):
        model.load(path)


def test_saving_and_loading_changes_no_answer(weights: model.Model, tmp_path: object) -> None:
    path = tmp_path / "again.npz"  # type: ignore[operator]
    model.save(weights, path)
    assert np.array_equal(model.load(path).area.word, weights.area.word)


def test_tellings_of_one_situation_share_a_fold() -> None:
    split = train.folds(("a", "b", "a", "c", "b"))
    assert split[0] == split[2]
    assert split[1] == split[4]


def test_the_dual_fit_separates_what_is_separable() -> None:
    points = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    labels = np.array([0, 0, 1, 1])
    found = train.fit(points @ points.T, labels, 2, 0.001, np.ones(4))
    assert (points @ points.T @ found.alpha + found.bias).argmax(axis=1).tolist() == labels.tolist()


def test_a_weight_counts_as_often_as_it_says() -> None:
    points = np.array([[1.0, 0.2], [1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    labels = np.array([0, 0, 1, 1])
    twice = [0, 1, 2, 2, 3]
    weights = np.array([1, 1, 2, 1]) * 4 / 5
    weighted = train.fit(points @ points.T, labels, 2, 0.01, weights)
    repeated = train.fit(points[twice] @ points[twice].T, labels[twice], 2, 0.01, np.ones(5))
    ask = np.array([[0.5, 0.5]])
    one = ask @ points.T @ weighted.alpha + weighted.bias
    other = ask @ points[twice].T @ repeated.alpha + repeated.bias
    assert np.allclose(one[0, 0] - one[0, 1], other[0, 0] - other[0, 1], atol=1e-2)


def test_kappa_is_one_for_agreement_and_nought_for_a_constant() -> None:
    truth = np.array([0, 1, 2, 3])
    assert train.quadratic_kappa(truth, truth) == pytest.approx(1)
    assert train.quadratic_kappa(truth, np.array([1, 1, 1, 1])) == pytest.approx(0)
