"""The chain of an audit trail: what entries say, and that a check finds whatever was done to them."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from tasks.audit import GENESIS, SYSTEM, Break, By, ChainCheck, Head, Link, Notes, subjects

ANA = By("jwt:ana", "req-1")


def a_note(number: int, tenant: str = "acme", at_ms: int | None = None, ids: str = "t1") -> bytes:
    at = 1_000 * number if at_ms is None else at_ms
    return "\n".join([tenant, str(at), "queued", ANA.line("task.submit"), ids]).encode()


def chained(*notes: bytes, heads: dict[str, Head] | None = None, lost: int = 0) -> tuple[list[Link], dict[str, Head]]:
    some = Notes(0, lost, notes)
    extension = some.chained({tenant: Head() for tenant in some.tenants} | (heads or {}))
    return extension.links, extension.heads


def check(links: list[Link], head: Head, known: Head | None = None, anchor: Head = Head()) -> Break | None:
    followed = ChainCheck("acme", anchor, known)
    return followed.follow(links) or followed.end(head)


def test_an_entry_says_who_did_what_to_what_and_when() -> None:
    (link,), heads = chained(a_note(1, at_ms=1_700_000_000_123, ids="t1,t2"))

    assert from_json(link.text) == {
        "seq": 1,
        "at": "2023-11-14T22:13:20.123Z",
        "tenant": "acme",
        "actor": "jwt:ana",
        "action": "task.submit",
        "outcome": "queued",
        "ids": ["t1", "t2"],
        "count": 2,
        "request_id": "req-1",
    }
    assert link.id == "1700000000123-1"
    assert link.hash == sha256(GENESIS.encode() + b"\n" + link.text).hexdigest()
    assert heads["acme"] == Head(1, 1_700_000_000_123, link.hash)


def test_of_many_ids_the_first_are_named_and_all_are_vouched_for() -> None:
    ids = [f"t{number}" for number in range(1_000)]
    (link,), _ = chained(a_note(1, ids=subjects(ids)))

    entry = from_json(link.text)
    assert entry["ids"] == ids[:100]
    assert entry["count"] == 1_000
    assert entry["ids_sha256"] == sha256("\n".join(ids).encode()).hexdigest()
    assert len(link.text) < 1_000


def test_each_tenant_has_a_chain_of_its_own() -> None:
    links, heads = chained(a_note(1), a_note(2, "rival"), a_note(3))

    assert [(link.tenant, link.id) for link in links] == [("acme", "1000-1"), ("rival", "2000-1"), ("acme", "3000-2")]
    assert check([link for link in links if link.tenant == "acme"], heads["acme"]) is None


def test_a_chain_goes_on_where_it_ended() -> None:
    first, heads = chained(a_note(1), a_note(2))
    more, heads = chained(a_note(3), heads=heads)

    assert check(first + more, heads["acme"]) is None


def test_a_clock_that_is_set_back_does_not_set_the_trail_back() -> None:
    links, heads = chained(a_note(1, at_ms=5_000), a_note(2, at_ms=3_000))

    assert [link.id for link in links] == ["5000-1", "5000-2"]
    assert from_json(links[1].text)["at"] == "1970-01-01T00:00:03.000Z"
    assert check(links, heads["acme"]) is None


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_stands_among_the_notes_keeps_none_from_being_chained(raw: bytes) -> None:
    links, _ = chained(a_note(1), raw, a_note(2))

    assert len(links) == 3
    assert all(from_json(link.text)["action"] for link in links)


def test_lost_notes_are_told() -> None:
    links, _ = chained(a_note(1), lost=7)

    entry = from_json(links[0].text)
    assert (entry["tenant"], entry["action"], entry["count"]) == (SYSTEM, "audit.lost", 7)


# ------------------------------------------------------------------------------------------------ tampering

LINKS, HEADS = chained(*(a_note(number) for number in range(1, 6)))
HEAD = HEADS["acme"]


def test_a_good_chain_holds() -> None:
    assert check(LINKS, HEAD) is None


@pytest.mark.parametrize("number", range(5))
def test_a_changed_entry_is_named(number: int) -> None:
    changed = list(LINKS)
    changed[number] = replace(changed[number], text=changed[number].text.replace(b"jwt:ana", b"jwt:eva"))

    found = check(changed, HEAD)

    assert found is not None
    assert found.seq == number + 1
    assert "hash" in found.reason


@pytest.mark.parametrize("number", range(5))
def test_a_missing_entry_is_named(number: int) -> None:
    found = check(LINKS[:number] + LINKS[number + 1 :], HEAD)

    assert found is not None
    assert found.seq == number + 1


def test_entries_of_another_trail_or_place_are_named() -> None:
    others, _ = chained(*(a_note(number, "rival") for number in range(1, 6)))
    moved = [LINKS[0], replace(LINKS[1], id="2000-7"), *LINKS[2:]]

    assert check(others, HEAD) == Break(1, "it belongs elsewhere")
    assert check(moved, HEAD) == Break(2, "it belongs elsewhere")
    assert check([LINKS[1], LINKS[0], *LINKS[2:]], HEAD) == Break(1, "it is missing; the next one is 2")
    assert check([replace(LINKS[0], text=b"\xff{")], HEAD) == Break(1, "it can't be read")


def test_a_trail_that_was_trimmed_holds_from_its_anchor_on() -> None:
    anchor = Head(2, 0, LINKS[1].hash)

    assert check(LINKS[2:], HEAD, anchor=anchor) is None
    assert check(LINKS[3:], HEAD, anchor=anchor) == Break(3, "it is missing; the next one is 4")


def test_a_trail_that_was_forged_as_a_whole_lacks_the_end_that_was_noted() -> None:
    noted = Head(3, 0, LINKS[2].hash)
    forged, forged_heads = chained(*(a_note(number, ids="forged") for number in range(1, 6)))

    assert check(forged, forged_heads["acme"]) is None
    assert check(LINKS, HEAD, noted) is None
    assert check(LINKS[3:], HEAD, noted, anchor=noted) is None
    assert check(forged, forged_heads["acme"], noted) == Break(3, "its hash is another than the one that was noted")
    assert check(LINKS, HEAD, Head(9, 0, noted.hash)) == Break(9, "it is not in the trail any more, or not yet")
