from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from actors.engines.triage import urgency
from tests.unit.triage.conftest import WEDNESDAY


def rules_in(text: str, on: dt.date = WEDNESDAY) -> set[str]:
    return {reason.rule for reason in urgency.read(text, on).reasons}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("minha audiência é amanhã", "C1"),
        ("my hearing is this Friday", "C1"),
        ("o prazo do recurso é só até 18h", "C1"),
        ("descobriu que tem ordem pra prenderem ele", "C2"),
        ("quem for embora ele manda passar fogo", "C3"),
        ("o leilão da casa é depois de amanhã", "C1"),
        ("o despejo está marcado para 15/05/2026", "C1"),
        ("audiência dia 22 desse mês", "A1"),
        ("meu irmão foi preso hoje", "C2"),
        ("prenderam meu marido na feira", "C2"),
        ("saiu um mandado de prisão contra ele", "C2"),
        ("ele me bateu ontem à noite", "C3"),
        ("ele disse que vai me matar", "C3"),
        ("levou minha filha e não sei onde ela está", "C3"),
        ("minha avó precisa de UTI e o plano negou", "C4"),
        ("caí num golpe do pix agora", "C5"),
        ("fui citado e tenho 15 dias para contestar", "A1"),
        ("cortaram a água e tenho um bebê", "A2"),
        ("acabou a insulina, meu remédio está em falta", "A3"),
        ("fui demitida grávida", "A4"),
        ("ele puxou uma faca para mim", "A4"),
        ("o boleto falso vence em 4 dias", "A5"),
        ("meu irmão está preso há oito meses sem julgamento", "C2"),
        ("não recebo faz 2 meses e estou passando fome", "A2"),
        ("socorro, ele está me batendo", "C3"),
    ],
)
def test_a_fact_that_holds_now_fires_its_rule(text: str, rule: str) -> None:
    assert rule in rules_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "não fui preso, só prestei depoimento",
        "não é que esteja passando fome",
        "agora a bomba é a obra, que está parada",
        "se eu for preso, quem avisa minha família?",
        "meu tio foi preso em 1998",
        "ele me bateu há dez anos",
        "meu pai foi preso faz uns meses e não deu em nada",
        "meu primo foi preso semana passada mas já foi solto",
        "vi na novela que ele disse que vai matar a irmã",
        "minha avó ficou na UTI ano passado e o plano negou",
        "preciso disso urgente, urgentíssimo",
        "quero saber quantos dias de férias eu tenho",
    ],
)
def test_denied_supposed_past_and_settled_facts_fire_nothing(text: str) -> None:
    assert rules_in(text) == set()


def test_a_release_told_later_ends_the_custody_told_before() -> None:
    assert "C2" not in rules_in("meu cunhado foi preso na blitz. já saiu, está em casa")


def test_a_past_event_has_no_due_date() -> None:
    assert rules_in("a audiência foi ontem") == set()


def test_today_means_the_reference_date() -> None:
    (reason,) = urgency.read("a audiência é dia 20/05/2026", dt.date(2026, 5, 19)).reasons
    assert (reason.rule, reason.due) == ("C1", dt.date(2026, 5, 20))
    (reason,) = urgency.read("a audiência é dia 20/05/2026", dt.date(2026, 5, 10)).reasons
    assert (reason.rule, reason.due) == ("A1", dt.date(2026, 5, 20))


def test_a_term_that_opens_tomorrow_does_not_end_tomorrow() -> None:
    assert "C1" not in rules_in("o prazo de recurso abre amanhã")


def test_evidence_is_the_sentence_as_written() -> None:
    (reason,) = urgency.read("Bom dia. Prenderam meu marido na feira! Ajuda.", WEDNESDAY).reasons
    assert reason.evidence == "Prenderam meu marido na feira!"


def test_rules_only_raise() -> None:
    serious = np.array([0, 0, 0.05, 0.95], dtype=np.float32)
    calm = np.array([0.97, 0.03, 0, 0], dtype=np.float32)
    (term,) = urgency.read("audiência dia 22 desse mês", WEDNESDAY).reasons
    assert urgency.decide(serious, [term]) == "critical"
    assert urgency.decide(calm, [term]) == "high"
    assert urgency.decide(calm, []) == "low"


def test_in_doubt_between_light_and_serious_the_serious_wins() -> None:
    torn = np.array([0.5, 0, 0, 0.5], dtype=np.float32)
    assert urgency.decide(torn, []) in ("high", "critical")


def test_a_day_that_was_taken_back_counts_for_nothing() -> None:
    told, corrected = "minha audiência é amanhã\n", "li errado, é daqui a 10 dias"

    assert rules_in(told + corrected) == {"C1"}
    assert "C1" not in {r.rule for r in urgency.read(told + corrected, WEDNESDAY, len(told)).reasons}


def chances(low: float, medium: float, high: float, critical: float) -> np.ndarray:
    return np.array([low, medium, high, critical], dtype=np.float32)


def test_a_day_to_come_counts_where_the_classifier_finds_the_case_serious() -> None:
    near = urgency.read("o juiz quer me ver com o homem da loja depois de amanhã", WEDNESDAY)
    later = urgency.read("o juiz quer me ver com o homem da loja daqui a 10 dias", WEDNESDAY)

    assert [r.rule for r in urgency.due(chances(0.1, 0.2, 0.5, 0.2), near)] == ["C1"]
    assert urgency.due(chances(0.5, 0.4, 0.1, 0), near) == ()
    assert [r.rule for r in urgency.due(chances(0.1, 0.8, 0.1, 0), later)] == ["A1"]
    assert urgency.due(chances(0.9, 0.1, 0, 0), later) == ()


@pytest.mark.parametrize(
    "text",
    ["aconteceu hoje", "o prazo começa amanhã", "se ele vier amanhã eu ligo", "meu tio passou mal ontem", "nada"],
)
def test_no_day_to_come_is_read_where_none_presses(text: str) -> None:
    assert urgency.read(text, WEDNESDAY).by_day is None
