"""A linear-chain CRF that says where a reference to law or case law, or a date, begins and ends.

The rules know the forms, the tagger knows the habits of running text, learned from LeNER-Br (Luz de Araujo et
al. 2018, MIT) by `training`; `tagger.npz` holds the weights and the words they belong to, none of its texts.
Decoding is exact (Viterbi), over whole batches of sentences at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import cast

import numpy as np
from numpy.typing import NDArray

from actors.engines.text.citations import Span
from actors.engines.text.tagger_features import TEMPLATES, segments, streams_of, tokenize
from tasks.payloads import EntityType

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]

TYPES: tuple[EntityType, ...] = ("LEGISLACAO", "JURISPRUDENCIA", "TEMPO")
LABELS = ("O", *(f"{edge}-{kind}" for kind in TYPES for edge in "BI"))
MAX_TOKENS = 100_000
"""Some three hundred pages, and about a second; what lies beyond is left to the rules alone."""
BATCH = 4_096
"""Tokens decoded at once, roughly: bounds the memory of the back pointers."""


@dataclass(frozen=True, slots=True)
class Model:
    """Weights of the templates, of the steps between labels, and of a label that opens a sentence."""

    vocabularies: Mapping[str, Mapping[str, int]]
    emissions: Sequence[Floats]
    transitions: Floats
    opening: Floats


def tag(text: str, rules: Sequence[Span]) -> list[Span]:
    """The references and dates of the first MAX_TOKENS of `text`; `rules` are the spans the rules found in it."""
    tokens = tokenize(text, MAX_TOKENS)
    if not tokens:
        return []
    model = load_model()
    ranges = segments(text, tokens)
    ids = feature_ids(model.vocabularies, streams_of(text, tokens, rules))
    labels = decode(model, emission_scores(model, ids, ranges), ranges)
    return [(tokens[a].start, tokens[b].end, kind) for a, b, kind in _spans(labels, ranges)]


@lru_cache(maxsize=1)
def load_model() -> Model:
    """The shipped model, read once a process."""
    with resources.files(__package__).joinpath("tagger.npz").open("rb") as file, np.load(file) as stored:
        return unpack(stored)


def unpack(stored: Mapping[str, NDArray[np.generic]]) -> Model:
    """A model from the arrays of its file: whole numbers of eight bits, each template with its own scale."""
    vocabularies = {stream: _vocabulary(stored[f"words_{stream}"]) for stream, _ in TEMPLATES}
    emissions = [
        stored[f"weights_{i}"].astype(np.float32) * stored["scales"][i].astype(np.float32)
        for i in range(len(TEMPLATES))
    ]
    return Model(
        vocabularies,
        emissions,
        stored["transitions"].astype(np.float32),
        stored["opening"].astype(np.float32),
    )


def _vocabulary(packed: NDArray[np.generic]) -> dict[str, int]:
    """Words by number, from 1; 0 is every word that training did not keep."""
    return {word: i for i, word in enumerate(packed.tobytes().decode().split("\n"), start=1)}


def feature_ids(
    vocabularies: Mapping[str, Mapping[str, int]], streams: Mapping[str, Sequence[str]]
) -> dict[str, Ids]:
    """Each stream's values as numbers of its vocabulary."""
    return {
        stream: np.fromiter((vocabularies[stream].get(v, 0) for v in values), np.int32, len(values))
        for stream, values in streams.items()
    }


def shifted(ids: Ids, offset: int, bounds: tuple[Ids, Ids]) -> Ids:
    """`ids` as seen `offset` tokens away; beyond the sentence (`bounds` are its ends, a token each) it is 0."""
    at = np.arange(len(ids), dtype=np.int32) + offset
    inside = (at >= bounds[0]) & (at < bounds[1])
    return cast(Ids, np.where(inside, ids[np.clip(at, 0, len(ids) - 1)], 0))


def bounds_of(ranges: Sequence[tuple[int, int]]) -> tuple[Ids, Ids]:
    """For each token, where its sentence begins and ends."""
    lengths = [end - begin for begin, end in ranges]
    begins = np.repeat(np.array([b for b, _ in ranges], np.int32), lengths)
    ends = np.repeat(np.array([e for _, e in ranges], np.int32), lengths)
    return begins, ends


def emission_scores(model: Model, ids: Mapping[str, Ids], ranges: Sequence[tuple[int, int]]) -> Floats:
    """How much each token by itself looks like each label."""
    bounds = bounds_of(ranges)
    scores = np.zeros((len(bounds[0]), len(LABELS)), np.float32)
    for (stream, offset), weights in zip(TEMPLATES, model.emissions, strict=True):
        scores += weights[shifted(ids[stream], offset, bounds)]
    return scores


def decode(model: Model, scores: Floats, ranges: Sequence[tuple[int, int]]) -> NDArray[np.int8]:
    """The best sequence of labels of every sentence."""
    labels = np.zeros(len(scores), np.int8)
    for batch in batches(ranges):
        _decode_batch(model, scores, batch, labels)
    return labels


def batches(ranges: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Sentences of like length together, so that little is padded."""
    batch: list[tuple[int, int]] = []
    for begin, end in sorted(ranges, key=lambda r: r[1] - r[0]):
        if batch and (len(batch) + 1) * (end - begin) > BATCH:
            yield batch
            batch = []
        batch.append((begin, end))
    if batch:
        yield batch


def _decode_batch(model: Model, scores: Floats, batch: list[tuple[int, int]], labels: NDArray[np.int8]) -> None:
    begins = np.array([b for b, _ in batch])
    lengths = np.array([e - b for b, e in batch])
    best = model.opening + scores[begins]
    back = np.zeros((lengths.max(), len(batch), len(LABELS)), np.int8)
    for step in range(1, lengths.max()):
        alive = step < lengths
        paths = best[alive][:, :, None] + model.transitions
        back[step, alive] = paths.argmax(1)
        best[alive] = paths.max(1) + scores[begins[alive] + step]
    _trace_back(back, best.argmax(1), begins, lengths, labels)


def _trace_back(
    back: NDArray[np.int8],
    last: NDArray[np.intp],
    begins: NDArray[np.int_],
    lengths: NDArray[np.int_],
    labels: NDArray[np.int8],
) -> None:
    current = last.copy()
    for step in range(int(lengths.max()) - 1, -1, -1):
        alive = np.nonzero(step < lengths)[0]
        labels[begins[alive] + step] = current[alive]
        if step:
            current[alive] = back[step, alive, current[alive]]


def _spans(labels: NDArray[np.int8], ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, EntityType]]:
    """First and last token of each entity."""
    for begin, end in ranges:
        at = begin
        while at < end:
            until = at + 1
            if labels[at]:
                kind = (int(labels[at]) - 1) // 2
                while until < end and labels[until] == 2 * kind + 2:
                    until += 1
                yield at, until - 1, TYPES[kind]
            at = until
