"""HTML as a person sees it: paragraphs and table rows in lines, scripts, styles and hidden parts left out.

A tokenizer of its own, because kreuzberg drops the text after a line break and writes emphasis as asterisks, and
the standard library's parser takes quadratic time on unclosed markup. This one never looks at a character more
than a few times, whatever the file.
"""

from __future__ import annotations

import html
import re

from actors.engines.documents.formats.plain import decode
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy

MEDIA_TYPE = "text/html"
_DECLARED = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{2,30})", re.IGNORECASE)
_NAME = re.compile(r"/?[a-zA-Z][^\s/>]{0,40}")
_QUOTE = re.compile(r"[\"'>]")
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|(?:^|\s)hidden(?=[\s=/]|$)", re.IGNORECASE)
_RAW = frozenset({"script", "style", "title", "template", "textarea", "noframes", "xmp", "iframe", "svg", "math"})
_SHOWN_RAW = frozenset({"textarea", "xmp"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_LINES = frozenset(
    re.findall(
        "[a-z0-9]+",
        "address article aside blockquote body br caption center dd details div dl dt fieldset figcaption figure"
        " footer form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol option p pre section summary table"
        " tbody tfoot thead tr ul",
    )
)
_CELLS = frozenset({"td", "th"})


def read_html(data: bytes, reading: Reading) -> Extract:
    """Always gives a text, were it an empty one."""
    return Extract(MEDIA_TYPE, text_of_html(_decode(data), reading))


def _decode(data: bytes) -> str:
    declared = _DECLARED.search(data[:4096])
    if declared is None:
        return decode(data)
    try:
        return data.decode(declared[1].decode("ascii"))
    except (LookupError, UnicodeError):  # an unknown name, or bytes that belie it
        return decode(data)


def text_of_html(markup: str, reading: Reading) -> str:
    """The visible text of `markup`, tidied, up to about the limit of characters."""
    page = _Page(markup)
    if not page.read(reading.limits.characters):
        reading.note("text_limit", "only the first part of the page was read")
    return tidy("".join(page.pieces))


class _Page:
    """One pass over the markup. `_hidden_by` is the open element that hides its content, with its depth."""

    def __init__(self, markup: str) -> None:
        self.pieces: list[str] = []
        self._markup = markup
        self._folded = markup.lower() if len(markup.lower()) == len(markup) else markup
        self._hidden_by = ""
        self._depth = 0
        self._unclosed: set[str] = set()
        self._preformatted = False
        self._characters = 0

    def read(self, enough: int) -> bool:
        """Collect the text until there is `enough` of it; whether that was all."""
        at, end = 0, len(self._markup)
        while at < end and self._characters <= enough:
            opening = self._markup.find("<", at)
            if opening < 0:
                opening = end
            self._add(self._markup[at:opening])
            at = self._markup_at(opening) if opening < end else end
        return at >= end

    def _markup_at(self, opening: int) -> int:
        """Handle the markup that opens here; return where the text goes on."""
        if self._markup.startswith("<!--", opening):
            return self._past("-->", opening + 4)
        if self._markup.startswith(("<!", "<?"), opening):
            return self._past(">", opening + 2)
        name = _NAME.match(self._markup, opening + 1)
        if name is None:
            self._add("<")
            return opening + 1
        closing = self._tag_end(name.end())
        return self._tag(name[0].lower(), self._markup[name.end() : closing], closing + 1)

    def _past(self, mark: str, at: int) -> int:
        found = self._markup.find(mark, at)
        return len(self._markup) if found < 0 else found + len(mark)

    def _tag_end(self, at: int) -> int:
        """Offset of the '>' that ends a tag, quoted ones skipped; a quote that never closes is no quote."""
        while (mark := _QUOTE.search(self._markup, at)) is not None:
            if mark[0] == ">":
                return mark.start()
            closing = self._markup.find(mark[0], mark.end(), mark.end() + 100_000)
            at = mark.end() if closing < 0 else closing + 1
        return len(self._markup)

    def _tag(self, name: str, attributes: str, after: int) -> int:
        self._separate(name)
        if self._hidden_by:
            self._follow_hidden(name, attributes)
        elif name in _RAW - self._unclosed:
            return self._raw(name, after)
        elif name[0] != "/" and name not in _VOID and attributes and _HIDING.search(attributes[:2_000]):
            self._hidden_by, self._depth = name, 1
        return after

    def _separate(self, name: str) -> None:
        if name.removeprefix("/") in _LINES:
            self.pieces.append("\n")
            self._preformatted = name == "pre" or (self._preformatted and name != "/pre")
        elif name in _CELLS:
            self.pieces.append("\t")

    def _follow_hidden(self, name: str, attributes: str) -> None:
        if name == self._hidden_by and not attributes.endswith("/"):
            self._depth += 1
        elif name == "/" + self._hidden_by:
            self._depth -= 1
        if self._depth == 0:
            self._hidden_by = ""

    def _raw(self, name: str, after: int) -> int:
        """Skip to the end tag: nothing in between is markup. Without an end tag it hides nothing."""
        closing = self._folded.find("</" + name, after)
        if closing < 0:
            self._unclosed.add(name)
            return after
        if name in _SHOWN_RAW:
            self._add(self._markup[after:closing])
        return closing

    def _add(self, characters: str) -> None:
        if not characters or self._hidden_by:
            return
        if not self._preformatted:
            characters = characters.replace("\n", " ")
        self._characters += len(characters)
        self.pieces.append(_unescape(characters))


def _unescape(characters: str) -> str:
    try:
        return html.unescape(characters)
    except ValueError:  # a numeric reference of thousands of digits
        return characters
