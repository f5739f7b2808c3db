"""What is remembered of API keys, and when it is forgotten."""

from __future__ import annotations

from tasks.known_keys import REMEMBERED_AT_MOST, REMEMBERED_MS, KnownKeys


def heard() -> KnownKeys[str]:
    known: KnownKeys[str] = KnownKeys()
    known.hear()
    return known


def test_a_key_is_remembered_for_a_while() -> None:
    known = heard()

    known.remember("digest", "k1", "ana", 0, known.moment)

    assert known.get("digest", REMEMBERED_MS - 1) == "ana"
    assert known.get("digest", REMEMBERED_MS) is None
    assert known.get("other", 0) is None


def test_nothing_is_remembered_while_revocations_are_not_heard() -> None:
    known = heard()
    known.remember("digest", "k1", "ana", 0, known.moment)

    known.go_deaf()
    known.remember("digest", "k1", "ana", 0, known.moment)

    assert known.get("digest", 0) is None


def test_what_was_read_before_a_revocation_is_not_remembered_after_it() -> None:
    known = heard()
    moment = known.moment

    known.forget("k1")
    known.remember("digest", "k1", "ana", 0, moment)

    assert known.get("digest", 0) is None


def test_a_revoked_key_is_forgotten_and_others_are_not() -> None:
    known = heard()
    known.remember("one", "k1", "ana", 0, known.moment)
    known.remember("two", "k2", "eva", 0, known.moment)

    known.forget("k1")

    assert (known.get("one", 0), known.get("two", 0)) == (None, "eva")


def test_what_is_remembered_has_a_bound() -> None:
    known = heard()

    for number in range(REMEMBERED_AT_MOST + 1):
        known.remember(str(number), "k", "ana", 0, known.moment)

    assert known.get("0", 0) is None
    assert known.get(str(REMEMBERED_AT_MOST), 0) == "ana"
