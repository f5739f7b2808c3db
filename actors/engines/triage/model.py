"""The two linear models of the triage, area and urgency: loading, checking and asking them.

How they come about is in `train.py`; here they are only read. Nothing here knows conversations or rules.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.engines.triage import features
from actors.engines.triage.features import Floats, Grams, Sparse

PATH = Path(__file__).with_name("weights.npz")
HEADS = ("area", "urgency")
BLOCKS = ("embedding", "word", "char", "lexicon", "cues", "bias")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the models read of one text: its embedding, its weighted n-grams, its lexicon counts, its cues."""

    embedding: Floats
    word: Sparse
    char: Sparse
    lexicon: Floats
    cues: Floats


@dataclass(frozen=True, slots=True)
class Head:
    """One multinomial logistic regression over the blocks of a sample, with a temperature (Guo et al. 2017)."""

    embedding: Floats
    word: Floats
    char: Floats
    lexicon: Floats
    cues: Floats
    bias: Floats
    temperature: float

    def scores(self, sample: Sample) -> Floats:
        total = self.bias + sample.embedding @ self.embedding + sample.lexicon @ self.lexicon
        total = total + sample.cues @ self.cues + sample.word.dot(self.word) + sample.char.dot(self.char)
        return np.asarray(total, dtype=np.float32)

    def probabilities(self, sample: Sample) -> Floats:
        return softmax(self.scores(sample) / self.temperature)


@dataclass(frozen=True, slots=True)
class Model:
    """Both heads, the rarity of the n-grams, and which bank and versions they were made from."""

    area: Head
    urgency: Head
    word_idf: Floats
    char_idf: Floats
    provenance: dict[str, Any]

    @property
    def version(self) -> str:
        """A short name of these very weights."""
        return f"{self.provenance['script']}.{self.provenance['features']}-{self.provenance['bank'][:8]}"

    def sample(self, embedding: Sequence[float], grams: Grams, cues: Floats) -> Sample:
        return Sample(
            np.asarray(embedding, dtype=np.float32),
            features.weigh(grams.word, self.word_idf),
            features.weigh(grams.char, self.char_idf),
            grams.lexicon,
            cues,
        )


def softmax(scores: NDArray[np.floating[Any]]) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def save(model: Model, path: Path = PATH) -> None:
    """Write a model as half-precision arrays, with its provenance as JSON beside them."""
    arrays: dict[str, NDArray[Any]] = {"word_idf": _half(model.word_idf), "char_idf": _half(model.char_idf)}
    for name, head in (("area", model.area), ("urgency", model.urgency)):
        for block in BLOCKS:
            arrays[f"{name}_{block}"] = _half(getattr(head, block))
        arrays[f"{name}_temperature"] = np.array(head.temperature, dtype=np.float32)
    arrays["provenance"] = np.array(json.dumps(model.provenance, sort_keys=True))
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load(path: Path = PATH) -> Model:
    """Read a model. Raises `ValueError` if it was made for other features than this version computes."""
    with np.load(path, allow_pickle=False) as stored:
        provenance = json.loads(str(stored["provenance"]))
        if provenance["features"] != features.VERSION:
            raise ValueError(f"{path.name} was trained for features version {provenance['features']}")
        heads = [_head(stored, name) for name in HEADS]
        idf = [stored[name].astype(np.float32) for name in ("word_idf", "char_idf")]
    return Model(heads[0], heads[1], idf[0], idf[1], provenance)


def _head(stored: Any, name: str) -> Head:
    blocks = {block: stored[f"{name}_{block}"].astype(np.float32) for block in BLOCKS}
    return Head(**blocks, temperature=float(stored[f"{name}_temperature"]))


def _half(array: Floats) -> NDArray[np.float16]:
    return array.astype(np.float16)
