"""Parsers of headers: whatever a client sends, they answer, and never with more than they promise."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.conditions import entity_tag, has_it_already, seen_by
from gateway.problem_pages import _wants_json
from gateway.requests import LONGEST_WAIT_S, preferred_wait_s
from tasks.ledger import UNCONDITIONAL
from tasks.lifecycle import Priority, State
from tasks.record import Children, Pause, Task

HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
TAGS = st.text(st.sampled_from('"W/,*@-.c1 '), max_size=30)


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), text.encode("latin-1")) for name, text in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": raw})


def a_task(**fields: object) -> Task:
    known = {"log": "7082373942018048 queued \n7082373942018050 running {}", "run": 1} | fields
    return Task("t", "n", "q", Priority.NORMAL, "acme", State.RUNNING, 7082373942018048, **known)  # type: ignore[arg-type]


@given(HEADER | TAGS)
def test_what_a_move_is_bound_to_is_versions_or_nothing(text: str) -> None:
    assert re.fullmatch(r"\*|[0-9cp.,-]+", seen_by(request(if_match=text)))
    assert seen_by(request(if_none_match=text)) == UNCONDITIONAL


@given(HEADER | TAGS)
@example('"7082373942018050-1')
def test_only_a_whole_tag_or_a_star_is_what_a_client_has(text: str) -> None:
    tag = entity_tag(a_task())

    if has_it_already(request(if_none_match=text), tag):
        assert tag in text or text.strip() == "*"


@pytest.mark.parametrize(
    "task",
    [
        a_task(),
        a_task(cancel_requested=True),
        a_task(pause=Pause("k1", 1)),
        a_task(cancel_requested=True, pause=Pause("k1", 1)),
        a_task(progress_seq=7082373942018051),
        a_task(children=Children(total=3, succeeded=1, failed=0, cancelled=0, running=2)),
    ],
)
def test_a_tag_comes_back_as_the_version_that_it_was_made_of(task: Task) -> None:
    for position in (None, 0, 12):
        tag = entity_tag(task, position)
        assert seen_by(request(if_match=f'"other", {tag}')) == task.version
        assert has_it_already(request(if_none_match=f"W/{tag}"), tag)


@given(HEADER | st.text(st.sampled_from('wait=;, "019'), max_size=30))
def test_a_preference_is_a_number_within_its_bounds_or_none(text: str) -> None:
    wait_s = preferred_wait_s(request(prefer=text))

    assert wait_s is None or 0 <= wait_s <= LONGEST_WAIT_S


@given(HEADER | st.text(st.sampled_from("application/json,text/html;q=0.1 *"), max_size=60))
@example("application/json;q=nan")
@example("application/json;q=inf, text/html")
def test_a_wish_for_a_form_is_yes_or_no(text: str) -> None:
    assert _wants_json(request(accept=text)) in (True, False)
