"""A report as a notice to the people who run the service: the words of a mail, with the page and the table attached.

What is attached is named by the report's id and made when it is sent, so that the notice stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.notices import Notice
from tasks.payloads import NoticeAttachment
from tasks.report_page import areas, main_figures, templates
from tasks.report_sentences import headline, sentences
from tasks.report_words import Lang, Words, words_for
from tasks.settings import Settings

COLOR = "#3f7f99"
COLOR_WITH_FAILURES = "#b0322a"


def notice_of(report: Mapping[str, Any], settings: Settings) -> Notice:
    """The notice of a report, in the language that is set. Its id follows from the report's: it is told once."""
    words = words_for(report, settings.report_language)
    told = [headline(report, words), *sentences(report, words)]
    return Notice(
        notice_id=f"report/{report['report_id']}",
        subject=f"{words.text(report['kind'])}: {headline(report, words)}",
        text="\n\n".join([words.period(report), " ".join(told)]),
        html=_html(report, words),
        fields=[_field(figure) for figure in main_figures(report, words)],
        attachments=_attachments(report, words.lang),
        color=COLOR_WITH_FAILURES if report["totals"]["failed"] else COLOR,
        to=settings.report_to,
    )


def _field(figure: Mapping[str, str]) -> tuple[str, str]:
    return figure["name"], f"{figure['value']} ({figure['was']})" if figure["was"] else figure["value"]


def _html(report: Mapping[str, Any], words: Words) -> str:
    return str(
        templates()
        .get_template("mail.html")
        .render(
            report=report,
            w=words,
            t=words.text,
            headline=headline(report, words),
            sentences=sentences(report, words),
            figures=list(main_figures(report, words)),
            areas=areas(report, words),
        )
    )


def _attachments(report: Mapping[str, Any], lang: Lang) -> list[NoticeAttachment]:
    words = words_for(report, lang)
    name = f"despacho-{report['kind']}-{words.local(report['from']).date().isoformat()}"
    return [
        NoticeAttachment(report_id=report["report_id"], form="html", filename=f"{name}.html"),
        NoticeAttachment(report_id=report["report_id"], form="csv", filename=f"{name}.csv"),
    ]
