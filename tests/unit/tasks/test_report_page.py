"""A report in words and as a page: what it says is true, it is whole by itself, and what is hostile stays text."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.report_page import page
from tasks.report_plots import ROUND_MS, round_steps, scale_of
from tasks.report_sentences import headline, sentences
from tasks.report_words import Lang, Words, words_for
from tests.sample_report import full, report

HOSTILE = """"><script>alert(1)</script><img src=//evil.example onerror='x'>{{ 7 * 7 }}\u2028"""


@pytest.mark.parametrize(
    ("kind", "succeeded", "failed", "before", "portuguese", "english"),
    [
        (
            *("weekly", 404, 8, 368),
            "412 tarefas terminaram, 98,1% com sucesso; 12% a mais que na semana anterior.",
            "412 tasks ended, 98.1% of them well; 12% more than the week before.",
        ),
        (
            *("daily", 1, 0, 0),
            "Uma tarefa terminou, com sucesso; no dia anterior não houve nenhuma.",
            "One task ended, well; the day before there were none.",
        ),
        ("daily", 0, 0, None, "Nenhuma tarefa terminou neste período.", "No task ended in this period."),
        (
            *("daily", 0, 0, 30),
            "Nenhuma tarefa terminou neste período; no dia anterior foram 30.",
            "No task ended in this period; the day before it was 30.",
        ),
        (
            *("daily", 199_999, 1, 200_000),
            "200.000 tarefas terminaram, 99,9% com sucesso; tantas quantas no dia anterior.",
            "200,000 tasks ended, 99.9% of them well; as many as the day before.",
        ),
        (
            *("daily", 0, 3, 3_000),
            "3 tarefas terminaram, nenhuma com sucesso; 99,9% a menos que no dia anterior.",
            "3 tasks ended, none of them well; 99.9% fewer than the day before.",
        ),
    ],
)
def test_the_first_sentence_says_how_many_how_well_and_how_that_compares(
    kind: str, succeeded: int, failed: int, before: int | None, portuguese: str, english: str
) -> None:
    told = report(kind, succeeded, failed, before)

    assert headline(told, words_for(told, "pt")) == portuguese
    assert headline(told, words_for(told, "en")) == english


def test_what_follows_names_the_fault_the_area_and_the_alerts() -> None:
    told = full()

    assert sentences(told, words_for(told, "pt")) == [
        "7 falharam; o motivo mais frequente: passou do tempo permitido, em Triagem (7).",
        "De 163 triagens, 150 (92%) na área Trabalhista; urgência crítica em 49, alta em 83.",
        "Metade começou em até 39 ms, e 95% em até 1,2 s.",
        "102 alertas dispararam; ainda sem solução: 1.",
        "Disjuntores abriram 3 vezes.",
    ]


def test_days_are_those_of_the_zone_and_moments_say_their_time() -> None:
    day, week = report("daily"), report("weekly")
    asked = {**day, "from": "2026-11-22T15:30:00.000Z", "until": "2026-11-23T15:30:00.000Z"}

    assert words_for(day, "pt").period(day) == "domingo, 22 de novembro de 2026"
    assert words_for(week, "en").period(week) == "Monday, 16 November – Sunday, 22 November 2026"
    assert words_for(asked, "pt").period(asked) == "22 de novembro de 2026, 12:30 – 23 de novembro de 2026, 12:30"


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("kind", ["daily", "weekly"])
@pytest.mark.parametrize("lang", ["pt", "en"])
def test_a_page_is_whole_by_itself_and_what_is_hostile_is_text(kind: str, lang: Lang) -> None:
    read = Reader(page(full(kind, HOSTILE), lang, other_language="?lang=en"))

    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in ("src", "xlink:href")]
    assert [value for name, value in read.attributes if name == "href"] == ["?lang=en"]
    assert not any("url(" in words or "@import" in words for words in read.words)
    assert any(HOSTILE in words for words in read.words)
    # Whoever hears the page hears the plots.
    ids = Counter(value for name, value in read.attributes if name == "id")
    assert max(ids.values()) == 1
    named = {each for name, value in read.attributes if name == "aria-labelledby" for each in value.split()}
    assert named <= set(ids)
    pictures = [value for name, value in read.attributes if (name, value) == ("role", "img")]
    assert len(pictures) == sum(name == "aria-labelledby" for name, _ in read.attributes)


@given(st.floats(0, 1), st.sampled_from(["pt", "en"]))
def test_a_share_says_all_or_nothing_only_where_it_is_so(share: float, lang: Lang) -> None:
    shown = Words(lang, ZoneInfo("UTC")).percent(share)

    assert (shown == "100%") == (share == 1)
    assert (shown == "0%") == (share == 0)


@given(st.integers(0, 10**9))
def test_the_lines_of_a_plot_are_few_and_hold_all(most: int) -> None:
    steps = round_steps(most)

    assert 2 <= len(steps) <= 6
    assert steps[-1] >= most


@given(st.lists(st.floats(0, 10**10), min_size=1, max_size=5))
def test_a_scale_of_times_holds_all_of_them(times: list[float]) -> None:
    scale = scale_of(times)

    assert scale is not None
    assert all(0 <= scale.place(ms) <= 100 for ms in times)
    assert {mark for _, mark in scale.marks} <= set(ROUND_MS)
    assert len(scale.marks) >= 2
