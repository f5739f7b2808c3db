"""Long texts: cut without a gap, read piece by piece, and told as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.embeddings.chunks import LONGEST, MOST_CHUNKS, clean, read, split
from tests.unit.embeddings.stand_ins import Engine, unheard

WRITTEN = st.text(alphabet=st.sampled_from("ab .\n!é\0😀\ud800"), max_size=4 * LONGEST)


@given(WRITTEN)
def test_the_spans_cover_the_text_in_order_and_are_no_longer_than_allowed(text: str) -> None:
    spans = split(text)

    assert "".join(text[span.start : span.end] for span in spans) == text
    assert [span.start for span in spans[1:]] == [span.end for span in spans[:-1]]
    assert (spans[0].start, spans[-1].end) == (0, len(text))
    assert all(span.end - span.start <= LONGEST for span in spans)
    assert len(spans) == 1 or all(span.end > span.start for span in spans)


@given(WRITTEN)
def test_cleaning_moves_no_character(text: str) -> None:
    cleaned = clean(text)

    assert len(cleaned) == len(text)
    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned


def test_a_text_is_cut_where_a_line_a_sentence_or_a_word_ends() -> None:
    sentence = "A cliente foi demitida grávida e não recebeu as verbas. "
    words = "palavra " * 200

    for text, end in ((sentence * 40, ". "), (words, " "), ((sentence + "\n") * 40, "\n")):
        spans = split(text)
        assert len(spans) > 2
        assert all(text[: span.end].endswith(end) for span in spans)


def test_no_chunk_is_a_mere_rest() -> None:
    for length in range(LONGEST + 1, 3 * LONGEST, 7):
        assert min(span.end - span.start for span in split("x" * length)) > LONGEST // 5


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, MOST_CHUNKS * LONGEST // 2, 10_000_001])
def test_the_number_of_chunks_is_bounded(length: int) -> None:
    spans = split("x" * length)

    assert spans[-1].end == length
    assert len(spans) <= MOST_CHUNKS


def test_a_short_text_is_read_as_it_stands() -> None:
    engine = Engine()

    (short,) = read(engine, ["pensão"], unheard)

    assert engine.calls == [["pensão"]]
    assert short.chunks == ()
    assert np.allclose(short.vector, engine.embed(["pensão"], unheard)[0])


def test_a_long_text_is_the_mean_of_its_chunks_weighted_by_what_is_written_in_them() -> None:
    engine = Engine()
    text = "a" * 400 + " " * 100 + "b" * 120

    short, long = read(engine, ["curto", text], unheard)

    assert short.chunks == ()
    assert [(span.start, span.end) for span, _ in long.chunks] == [(0, 435), (435, 620)]
    written = [400, 120]
    mean = sum(n * np.asarray(vector) for n, (_, vector) in zip(written, long.chunks, strict=True))
    assert np.allclose(long.vector, mean / np.linalg.norm(mean))
    assert np.linalg.norm(long.vector) == pytest.approx(1)


def test_empty_and_hostile_texts_have_vectors_too() -> None:
    engine = Engine()
    texts = ["", "\0", "\ud800", " " * 3_000, "x" * 100_000]

    found = read(engine, texts, unheard)

    assert [bool(text.chunks) for text in found] == [False, False, False, True, True]
    assert all(np.isclose(np.linalg.norm(text.vector), 1) for text in found)
    assert engine.calls[0][:3] == ["", " ", "?"]


def test_vectors_that_cancel_each_other_out_leave_the_heaviest() -> None:
    class Opposite(Engine):
        def embed(self, texts, report):  # type: ignore[no-untyped-def]
            return [[1.0, 0.0] if number % 2 else [-1.0, 0.0] for number in range(len(texts))]

    (long,) = read(Opposite(), ["x" * (2 * LONGEST)], unheard)

    assert np.linalg.norm(long.vector) == pytest.approx(1)


def test_progress_counts_texts_and_not_chunks() -> None:
    heard: list[tuple[float, str]] = []

    read(Engine(), ["x" * 2_000, "y"], lambda percent, message: heard.append((percent, message)))

    assert heard == [(100, "2 de 2 textos")]
