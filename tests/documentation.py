"""What is written for those who use Despacho: the README and the pages that it leads to, as one text."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
DOCUMENTATION = "\n".join(page.read_text() for page in PAGES)
