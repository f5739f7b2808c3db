"""A report in each of its forms, as bytes: what is attached to a mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tasks.record import compact_json
from tasks.report_page import page
from tasks.report_table import as_csv
from tasks.report_words import Lang


def as_form(report: Mapping[str, Any], form: Literal["html", "json", "csv"], lang: Lang) -> bytes:
    """The form in UTF-8; a table begins with the mark by which spreadsheets know that."""
    if form == "html":
        return page(report, lang).encode()
    if form == "csv":
        return as_csv(report).encode("utf-8-sig")
    return compact_json(dict(report)).encode()
