"""The headers with which every response tells a browser what it may do with it, unless the response says otherwise.

An answer of the API needs nothing that a browser could load, so it may load nothing; pages name what they need.
"""

from __future__ import annotations

from tasks.settings import Settings

Headers = tuple[tuple[bytes, bytes], ...]

HSTS = (b"strict-transport-security", b"max-age=31536000")
LOCKED = "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
"""The policy of what is no page."""

HEADERS: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", LOCKED.encode()),
    (b"referrer-policy", b"no-referrer"),
)


class SecurityHeaders:
    """Adds what the headers of a response lack. HSTS is only for those who have TLS in front, and say so."""

    def __init__(self, settings: Settings) -> None:
        self._headers: Headers = (*HEADERS, HSTS) if settings.secure_cookies else HEADERS
        self._names = frozenset(name for name, _ in self._headers)

    def complete(self, headers: list[tuple[bytes, bytes]]) -> None:
        names = {pair[0] for pair in headers}
        if self._names.isdisjoint(names):
            headers += self._headers
        else:
            headers += [pair for pair in self._headers if pair[0] not in names]


def policy_of(styles: list[str]) -> str:
    """The policy of a page without scripts, whose styles are these (hashes) and whose forms come back to us."""
    style = " ".join(styles) or "'none'"
    return (
        f"default-src 'none'; style-src {style}; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
