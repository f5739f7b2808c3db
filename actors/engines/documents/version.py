"""What an analysis depends on beside the file and the question: the code and the weights that read it.

A digest of the files themselves, so that nobody has to remember to count a version up.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ENGINES = Path(__file__).parents[1]
_FOLDERS = (_ENGINES / "documents", _ENGINES / "text")
_KINDS = frozenset({".py", ".npz", ".toml", ".txt", ".json"})
_LIBRARIES = ("pypdfium2", "kreuzberg", "numpy")


@cache
def engine_version() -> str:
    """Another one after every change of the rules, the weights, or the libraries that open the formats."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _KINDS):
            digest.update(f"{path.relative_to(_ENGINES)}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for library in _LIBRARIES:
        digest.update(f"{library} {_version_of(library)}\n".encode())
    return digest.hexdigest()[:12]


def _version_of(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
