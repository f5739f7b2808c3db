"""What clients call a day, and the day they mean."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.engines.text.dates import DateMention, find_dates

MONDAY = dt.date(2025, 3, 10)
MONTHS = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
]
WEEKDAYS = ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo")
days = st.dates(dt.date(1901, 1, 1), dt.date(2099, 12, 31))
nearby = st.dates(dt.date(2000, 1, 1), dt.date(2060, 12, 31))


def only(text: str, reference: dt.date = MONDAY) -> DateMention:
    (mention,) = find_dates(text, reference)
    return mention


def day_of(text: str, reference: dt.date = MONDAY) -> dt.date:
    mention = only(text, reference)
    assert mention.kind == "date"
    assert mention.first == mention.last
    return mention.first


def period_of(text: str, reference: dt.date = MONDAY) -> tuple[dt.date, dt.date]:
    mention = only(text, reference)
    assert mention.kind == "period"
    return mention.first, mention.last


@pytest.mark.parametrize(
    ("said", "offset"),
    [
        ("hoje", 0),
        ("é hj de noite", 0),
        ("amanhã cedo", 1),
        ("AMANHA", 1),
        ("amanhaa", 1),
        ("depois de amanhã", 2),
        ("dpois de amanha", 2),
        ("ontem", -1),
        ("anteontem", -2),
        ("antes de ontem", -2),
        ("daqui a 3 dias", 3),
        ("daqui uns 3 dias", 3),
        ("daqui a vinte e cinco dias", 25),
        ("em três dias", 3),
        ("dentro de duas semanas", 14),
        ("em 48 horas", 2),
        ("daqui a 48h", 2),
        ("no prazo de 15 (quinze) dias", 15),
        ("há 2 semanas", -14),
        ("ha cerca de dez dias", -10),
        ("faz 10 dias", -10),
        ("uma semana atrás", -7),
        ("tem 3 dias que ele sumiu", -3),
        ("deu 10 dias pra gente sair", 10),
        ("tenho só 5 dias para recorrer", 5),
        ("faltam 4 dias", 4),
    ],
)
def test_days_are_counted_from_the_reference(said: str, offset: int) -> None:
    assert day_of(said) == MONDAY + dt.timedelta(days=offset)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("quarta feira agora", (2025, 3, 12)),
        ("sexta", (2025, 3, 14)),
        ("na sexta-feira", (2025, 3, 14)),
        ("próxima segunda", (2025, 3, 17)),
        ("segunda-feira que vem", (2025, 3, 17)),
        ("proxima terca as 14h", (2025, 3, 11)),
        ("segunda da semana que vem", (2025, 3, 17)),
        ("segunda passada", (2025, 3, 3)),
        ("foi na sexta", (2025, 3, 7)),
        ("a companhia cortou a luz na sexta por engano", (2025, 3, 7)),
        ("sexta ele me bateu", (2025, 3, 7)),
        ("sexta tenho audiência", (2025, 3, 14)),
        ("marcaram o leilão pra sexta", (2025, 3, 14)),
        ("ele disse que a audiência é sexta", (2025, 3, 14)),
        ("no sabado passado", (2025, 3, 8)),
        ("dia 15", (2025, 3, 15)),
        ("dia 10", (2025, 3, 10)),
        ("dia 5", (2025, 4, 5)),
        ("dia 15 do mês que vem", (2025, 4, 15)),
        ("dia 15 do mes passado", (2025, 2, 15)),
        ("no dia 5 passado", (2025, 3, 5)),
        ("fui demitido dia 5", (2025, 3, 5)),
        ("dia vinte e dois", (2025, 3, 22)),
        ("intimado pra uma audiencia dia 22", (2025, 3, 22)),
        ("1º de maio", (2025, 5, 1)),
        ("primeiro de maio", (2025, 5, 1)),
        ("12/03", (2025, 3, 12)),
        ("paguei em 20/02", (2025, 2, 20)),
        ("o prazo vai até 05/01", (2026, 1, 5)),
        ("12/03/25", (2025, 3, 12)),
        ("12.03.2025", (2025, 3, 12)),
        ("2025-03-12", (2025, 3, 12)),
        ("terça-feira, 22/04/2025, às 14h", (2025, 4, 22)),
        ("22/04 (terça-feira)", (2025, 4, 22)),
        ("antes do natal", (2025, 12, 25)),
    ],
)
def test_named_days_are_the_next_ones_unless_the_clause_is_past(said: str, day: tuple[int, int, int]) -> None:
    assert day_of(said) == dt.date(*day)


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("semana que vem", (2025, 3, 17), (2025, 3, 23)),
        ("mês que vem", (2025, 4, 1), (2025, 4, 30)),
        ("mes passado", (2025, 2, 1), (2025, 2, 28)),
        ("este fim de semana", (2025, 3, 15), (2025, 3, 16)),
        ("fim do mês", (2025, 3, 21), (2025, 3, 31)),
        ("fui dispensada em janeiro", (2025, 1, 1), (2025, 1, 31)),
        ("março de 2024", (2024, 3, 1), (2024, 3, 31)),
        ("nos próximos 15 dias", (2025, 3, 10), (2025, 3, 25)),
        ("de 10 a 15 de março", (2025, 3, 10), (2025, 3, 15)),
        ("em 2021", (2021, 1, 1), (2021, 12, 31)),
    ],
)
def test_periods_have_a_first_and_a_last_day(
    said: str, first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    assert period_of(said) == (dt.date(*first), dt.date(*last))


@pytest.mark.parametrize(
    "said",
    [
        "hoje em dia ninguém respeita",
        "trabalho de segunda a sexta",
        "a segunda vara cível negou",
        "minha segunda esposa",
        "recebi só 1/3 das férias",
        "todo dia 5 cai o salário",
        "processo 0728977-91.2022.8.26.0550",
        "31/02/2025",
        "",
    ],
)
def test_words_that_only_look_like_days_are_left_alone(said: str) -> None:
    assert find_dates(said, MONDAY) == ()


def test_the_turn_of_the_year_and_short_months() -> None:
    assert day_of("dia 5 do mês que vem", dt.date(2025, 12, 20)) == dt.date(2026, 1, 5)
    assert day_of("daqui a um mês", dt.date(2025, 1, 31)) == dt.date(2025, 2, 28)
    assert day_of("dia 31", dt.date(2025, 4, 2)) == dt.date(2025, 5, 31)
    assert day_of("amanhã", dt.date(2024, 2, 28)) == dt.date(2024, 2, 29)
    assert day_of("29/02", dt.date(2025, 3, 10)) == dt.date(2028, 2, 29)
    assert period_of("fim do ano", dt.date(2025, 3, 1)) == (dt.date(2025, 11, 1), dt.date(2025, 12, 31))


def test_a_day_beyond_the_calendar_is_no_day() -> None:
    assert find_dates("depois de amanhã", dt.date.max) == ()
    assert find_dates("há 9999 anos", MONDAY) == ()


def test_several_mentions_keep_their_order_and_do_not_overlap() -> None:
    text = "Comprei ontem, o boleto vence dia 15 e a audiência é depois de amanhã às 9h."
    found = find_dates(text, MONDAY)
    assert [m.text for m in found] == ["ontem", "dia 15", "depois de amanhã"]


@given(days, st.sampled_from(["{d:02}/{m:02}/{y}", "{d}/{m}/{y}", "{d:02}-{m:02}-{y}", "{d:02}.{m:02}.{y}"]))
def test_a_full_date_comes_back_whatever_its_signs(day: dt.date, style: str) -> None:
    assert day_of("em " + style.format(d=day.day, m=day.month, y=day.year)) == day


@given(days)
@example(dt.date(2024, 2, 29))
def test_a_full_date_in_words_comes_back(day: dt.date) -> None:
    assert day_of(f"no dia {day.day} de {MONTHS[day.month - 1]} de {day.year}") == day
    assert day_of(day.isoformat()) == day


@given(nearby, st.integers(1, 400))
def test_counting_days_is_adding_days(reference: dt.date, count: int) -> None:
    assert day_of(f"daqui a {count} dias", reference) == reference + dt.timedelta(days=count)
    assert day_of(f"há {count} dias", reference) == reference - dt.timedelta(days=count)


@given(nearby, st.integers(0, 6))
def test_a_weekday_is_within_the_coming_week(reference: dt.date, weekday: int) -> None:
    day = day_of(f"a audiência é na {WEEKDAYS[weekday]}", reference)
    assert day.weekday() == weekday
    assert 1 <= (day - reference).days <= 7


@given(nearby, st.integers(1, 31))
def test_a_day_of_the_month_is_the_next_one(reference: dt.date, number: int) -> None:
    day = day_of(f"dia {number}", reference)
    assert day.day == number
    assert 0 <= (day - reference).days <= 62


@given(st.text(max_size=300), st.dates())
@example("dia 00 há 0 dias 99/99/9999", dt.date.min)
@example("amanha\u0303 e\u0301 dia 1\u0300", dt.date(2025, 1, 1))
def test_any_text_is_read_without_an_error_and_with_true_offsets(text: str, reference: dt.date) -> None:
    for mention in find_dates(text, reference):
        assert text[mention.start : mention.end] == mention.text
        assert mention.first <= mention.last


@given(st.text(alphabet="0123456789/.- diasêm hojeqnvcou", max_size=120), st.dates())
def test_date_like_noise_is_read_without_an_error(text: str, reference: dt.date) -> None:
    for mention in find_dates(text, reference):
        assert text[mention.start : mention.end] == mention.text


def test_composed_and_decomposed_accents_mean_the_same() -> None:
    decomposed = "a audie\u0302ncia e\u0301 depois de amanha\u0303 de manha\u0303"
    mention = only(decomposed)
    assert mention.first == dt.date(2025, 3, 12)
    assert mention.text == "depois de amanha\u0303"


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("the hearing is tomorrow", "2025-03-11"),
        ("they come the day after tomorrow", "2025-03-12"),
        ("I must be gone by the 30th", "2025-03-30"),
        ("they will close my account on the 5th of next month", "2025-04-05"),
        ("I stand before the judge this Thursday, the 13th, at 10", "2025-03-13"),
        ("my flight is on Friday", "2025-03-14"),
        ("they fired me on Friday", "2025-03-07"),
        ("the notice says I have 10 days", "2025-03-20"),
        ("it happened two weeks ago", "2025-02-24"),
        ("hearing on March 12", "2025-03-12"),
        ("he left on 2nd of January", "2025-01-02"),
        ("el vuelo es pasado mañana", "2025-03-12"),
        ("la audiencia es el jueves", "2025-03-13"),
    ],
)
def test_foreigners_name_days_too(said: str, day: str) -> None:
    assert day_of(said).isoformat() == day


@pytest.mark.parametrize(
    "said",
    [
        "every Friday he pays cash",
        "the 10th floor",
        "I may 3 times",
        "esta mañana llamé",
        "sun and mon",
        "en la mañana",
    ],
)
def test_what_only_looks_like_a_foreign_day_is_none(said: str) -> None:
    assert find_dates(said, MONDAY) == ()
