"""Trains `tagger` and writes its weights: `python -m actors.engines.text.training OUT.npz TRAIN.jsonl DEV.jsonl`.

The files hold one JSON object a line, {"text", "entities": [{"label", "start", "end"}]}: LeNER-Br
(https://github.com/peluz/lener-br, MIT) with its tokens joined to plain text. The shipped weights saw its
training and development parts and never its test part; three-fold over the documents of those two, rules
and tagger together reach an F1 of 0.88 exact and 0.95 overlapping (the rules alone 0.83 and 0.94). The seed is
fixed. Needs numpy and a minute or two; nothing in the service imports this module.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.engines.text.references import rule_spans
from actors.engines.text.tagger import LABELS, TYPES, Floats, Ids, batches, bounds_of, feature_ids, shifted
from actors.engines.text.tagger_features import STREAMS, TEMPLATES, Token, segments, streams_of, tokenize

SEED = 2018
EPOCHS = 8
AVERAGED = 3
"""Epochs at the end whose weights are averaged."""
RATE = 0.02
DECAY = 30.0
"""Strength of the Gaussian prior on the weights, in units of one over its variance."""
KEPT = {"pair": 3, "chunk": 3, "classes": 3}
"""How often a value must occur to be kept; elsewhere twice."""
HIDDEN = 0.25
"""Share of words that each batch does not see: the model must know a reference by its form too."""
BY_WORD = frozenset({"word", "pair", "prefix", "suffix"})
NEGLIGIBLE = 0.03
"""A value whose weights all stay below this is left out of the file."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All sentences one behind the other: feature values, gold labels, and where each sentence lies."""

    streams: Mapping[str, list[str]]
    gold: NDArray[np.int8]
    ranges: list[tuple[int, int]]


def read_corpus(paths: Sequence[Path]) -> Corpus:
    """The corpus of files of JSON lines."""
    streams: dict[str, list[str]] = {stream: [] for stream in STREAMS}
    gold: list[int] = []
    ranges: list[tuple[int, int]] = []
    for line in (line for path in paths for line in path.read_text("utf-8").split("\n") if line.strip()):
        row = json.loads(line)
        tokens = tokenize(row["text"])
        ranges += [(a + len(gold), b + len(gold)) for a, b in segments(row["text"], tokens)]
        for stream, values in streams_of(row["text"], tokens, rule_spans(row["text"])).items():
            streams[stream] += values
        gold += _gold_labels(row["entities"], tokens)
    return Corpus(streams, np.array(gold, np.int8), ranges)


def _gold_labels(entities: Sequence[Mapping[str, Any]], tokens: Sequence[Token]) -> list[int]:
    labels = [0] * len(tokens)
    for entity in (e for e in entities if e["label"] in TYPES):
        inside = [i for i, t in enumerate(tokens) if t.start < entity["end"] and entity["start"] < t.end]
        for i in inside:
            labels[i] = 2 * TYPES.index(entity["label"]) + (1 if i == inside[0] else 2)
    return labels


def build_vocabularies(streams: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """Every value that occurs often enough, numbered from 1."""
    vocabularies = {}
    for stream, values in streams.items():
        counted = Counter(values).items()
        kept = sorted(v for v, n in counted if n >= KEPT.get(stream, 2) and "\n" not in v)
        vocabularies[stream] = {value: i for i, value in enumerate(kept, start=1)}
    return vocabularies


class Crf:
    """A linear-chain CRF with its Adam state; one weight matrix a template, then the steps and openings."""

    def __init__(self, sizes: Sequence[int], sentences: int) -> None:
        count = len(LABELS)
        self.weights = [np.zeros((size, count), np.float32) for size in sizes]
        self.weights += [np.zeros((count, count), np.float32), np.zeros((1, count), np.float32)]
        self.first = [np.zeros_like(w) for w in self.weights]
        self.second = [np.zeros_like(w) for w in self.weights]
        self.steps = 0
        self.sentences = sentences

    def emissions(self, columns: Sequence[Ids]) -> Floats:
        scores = np.zeros((len(columns[0]), len(LABELS)), np.float32)
        for ids, weights in zip(columns, self.weights, strict=False):
            scores += weights[ids]
        return scores

    def learn(self, gradients: Sequence[Floats], share: float, rate: float) -> None:
        """One step of Adam against `gradients`, with the prior's pull for this `share` of the corpus."""
        self.steps += 1
        for i, gradient in enumerate(gradients):
            pulled = gradient + DECAY * share * self.weights[i]
            self.first[i] += 0.1 * (pulled - self.first[i])
            self.second[i] += 0.001 * (pulled * pulled - self.second[i])
            mean = self.first[i] / (1 - 0.9**self.steps)
            spread = np.sqrt(self.second[i] / (1 - 0.999**self.steps)) + 1e-8
            self.weights[i] -= (rate * mean / spread).astype(np.float32)


def _log_sum(scores: Floats, axis: int) -> Floats:
    top = scores.max(axis, keepdims=True)
    summed: Floats = (np.log(np.exp(scores - top).sum(axis)) + top.squeeze(axis)).astype(np.float32)
    return summed


def gradients_of(crf: Crf, columns: Sequence[Ids], gold: NDArray[np.int8], lengths: NDArray[np.int_]) -> list[Floats]:
    """Expected minus observed counts of every weight, over a batch of sentences one behind the other."""
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    emissions = crf.emissions(columns)
    expected, steps = _expectations(crf, emissions, begins, lengths)
    np.subtract.at(expected, (np.arange(len(gold)), gold), 1)
    first = np.zeros(len(gold), bool)
    first[begins] = True
    np.subtract.at(steps, (gold[:-1][~first[1:]], gold[1:][~first[1:]]), 1)
    emitted = [_gathered(ids, expected, len(w)) for ids, w in zip(columns, crf.weights, strict=False)]
    return [*emitted, steps, expected[begins].sum(0, keepdims=True)]


def _gathered(ids: Ids, expected: Floats, size: int) -> Floats:
    gathered = [np.bincount(ids, weights=expected[:, label], minlength=size) for label in range(len(LABELS))]
    matrix = np.stack(gathered, axis=1).astype(np.float32)
    matrix[0] = 0
    return matrix


def _expectations(
    crf: Crf, emissions: Floats, begins: NDArray[np.int_], lengths: NDArray[np.int_]
) -> tuple[Floats, Floats]:
    """Marginals of the labels at each token, and summed marginals of the steps, by forward and backward."""
    transitions, opening = crf.weights[-2], crf.weights[-1]
    forward, backward = np.zeros_like(emissions), np.zeros_like(emissions)
    forward[begins] = opening + emissions[begins]
    for step in range(1, int(lengths.max())):
        at = begins[step < lengths] + step
        forward[at] = _log_sum(forward[at - 1][:, :, None] + transitions, 1) + emissions[at]
    for step in range(int(lengths.max()) - 2, -1, -1):
        at = begins[step + 1 < lengths] + step
        backward[at] = _log_sum(transitions[None] + (emissions[at + 1] + backward[at + 1])[:, None, :], 2)
    total = np.repeat(_log_sum(forward[begins + lengths - 1], 1), lengths)
    marginals = np.exp(forward + backward - total[:, None])
    inner = np.ones(len(emissions), bool)
    inner[begins] = False
    at = np.nonzero(inner)[0]
    joint = forward[at - 1][:, :, None] + transitions + (emissions[at] + backward[at])[:, None, :]
    return marginals, np.exp(joint - total[at][:, None, None]).sum(0)


def train(corpus: Corpus, vocabularies: Mapping[str, Mapping[str, int]]) -> list[Floats]:
    """The weights, averaged over the last epochs."""
    ids, bounds = feature_ids(vocabularies, corpus.streams), bounds_of(corpus.ranges)
    columns = [shifted(ids[stream], offset, bounds) for stream, offset in TEMPLATES]
    crf = Crf([len(vocabularies[stream]) + 1 for stream, _ in TEMPLATES], len(corpus.ranges))
    random = np.random.default_rng(SEED)
    averaged = [np.zeros_like(w) for w in crf.weights]
    for epoch in range(EPOCHS):
        _epoch(crf, corpus, columns, random, RATE * 0.8**epoch)
        if epoch >= EPOCHS - AVERAGED:
            averaged = [(a + w / AVERAGED).astype(np.float32) for a, w in zip(averaged, crf.weights, strict=True)]
    return averaged


def _epoch(crf: Crf, corpus: Corpus, columns: Sequence[Ids], random: np.random.Generator, rate: float) -> None:
    shuffled = [corpus.ranges[i] for i in random.permutation(len(corpus.ranges))]
    groups = list(batches(shuffled))
    for group in (groups[i] for i in random.permutation(len(groups))):
        at = np.concatenate([np.arange(b, e) for b, e in group])
        lengths = np.array([e - b for b, e in group])
        gradients = gradients_of(crf, _partly_hidden(columns, at, random), corpus.gold[at], lengths)
        crf.learn(gradients, len(group) / len(corpus.ranges), rate)


def _partly_hidden(columns: Sequence[Ids], at: NDArray[np.int_], random: np.random.Generator) -> list[Ids]:
    seen = []
    for (stream, _), column in zip(TEMPLATES, columns, strict=True):
        shown = random.random(len(at)) >= HIDDEN if stream in BY_WORD else np.ones(len(at), bool)
        seen.append(column[at] * shown)
    return seen


def pack(weights: Sequence[Floats], vocabularies: Mapping[str, Mapping[str, int]]) -> dict[str, NDArray[Any]]:
    """The arrays of the weight file: only values that matter, weights as eight-bit numbers."""
    packed: dict[str, NDArray[Any]] = {"transitions": weights[-2], "opening": weights[-1]}
    kept = {stream: _telling(weights, stream, vocabularies[stream]) for stream in STREAMS}
    for stream, values in kept.items():
        packed[f"words_{stream}"] = np.frombuffer("\n".join(values).encode(), np.uint8)
    scales = np.zeros(len(TEMPLATES), np.float32)
    for i, (stream, _) in enumerate(TEMPLATES):
        rows = weights[i][[0, *kept[stream].values()]]
        scales[i] = max(float(np.abs(rows).max()), 1e-6) / 127
        packed[f"weights_{i}"] = np.rint(rows / scales[i]).astype(np.int8)
    packed["scales"] = scales
    return packed


def _telling(weights: Sequence[Floats], stream: str, vocabulary: Mapping[str, int]) -> dict[str, int]:
    matrices = [weights[i] for i, (s, _) in enumerate(TEMPLATES) if s == stream]
    strongest = np.max([np.abs(m).max(1) for m in matrices], axis=0)
    return {value: i for value, i in vocabulary.items() if strongest[i] >= NEGLIGIBLE}


def main(out: Path, corpora: Sequence[Path]) -> None:
    """Train on all of `corpora` and write the weights to `out`."""
    corpus = read_corpus(corpora)
    vocabularies = build_vocabularies(corpus.streams)
    np.savez_compressed(out, **pack(train(corpus, vocabularies), vocabularies))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
