"""How the synchronous client follows from the asynchronous one: `python -m tests.unit.client_mirror` writes it."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "despacho_client"
DOCSTRINGS = (
    '"""The asynchronous client; `client.py` says the same without waiting, and a test holds the two together."""',
    '"""The synchronous client; `async_client.py` says the same in its way, and a test holds the two together."""',
)
SPELLINGS = (
    DOCSTRINGS,
    ("import asyncio\n", ""),
    ("asyncio.sleep", "time.sleep"),
    ("AsyncClient", "Client"),
    ("AsyncIterator", "Iterator"),
    ("__aenter__", "__enter__"),
    ("__aexit__", "__exit__"),
    ("aclose", "close"),
    ("aiter_bytes", "iter_bytes"),
    ("aread", "read"),
    ("async ", ""),
    ("(await self._send(call)).json()", "self._send(call).json()"),
    ("await ", ""),
)


def mirrored() -> str:
    """The source of the synchronous client, but for where its lines break."""
    source = (FOLDER / "async_client.py").read_text()
    for theirs, ours in SPELLINGS:
        assert theirs in source, theirs
        source = source.replace(theirs, ours)
    return source


if __name__ == "__main__":
    (FOLDER / "client.py").write_text(mirrored())
