"""Whoever follows a link of the documentation gets somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation import PAGES, ROOT

LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """The names that headings get where Markdown is shown (GitHub's rule)."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "deploy" / "kubernetes" / "README.md"], ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_every_page_is_led_to_from_the_readme() -> None:
    readme, *pages = PAGES
    assert not [page.name for page in pages if f"(docs/{page.name}" not in readme.read_text()]
