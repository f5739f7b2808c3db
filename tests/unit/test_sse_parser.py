"""The client's reader of server-sent events."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from despacho_client.sse import Message, Parser

STREAM = (
    '\ufeffretry: 1000\n\n: keep-alive\n\nid: 1\nevent: queued\ndata: {"a": "ção"}\n\n'
    "id: 2\r\nevent: running\r\ndata: one\r\ndata:two\r\n\r\ndata: no name\r\rid: 3\nevent: nothing\n\n"
    "data: after\n\ndata: not whole\n"
).encode()
TOLD = [
    Message("1", "queued", '{"a": "ção"}'),
    Message("2", "running", "one\ntwo"),
    Message("2", "message", "no name"),
    Message("3", "message", "after"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_events_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    parser, edges = Parser(), [0, *sorted(cuts), len(STREAM)]

    told = [m for start, end in itertools.pairwise(edges) for m in parser.feed(STREAM[start:end])]

    assert told == TOLD


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd(stream: bytes) -> None:
    whole, piece_by_piece = Parser("7"), Parser("7")

    assert whole.feed(stream) == [m for byte in stream for m in piece_by_piece.feed(bytes([byte]))]
