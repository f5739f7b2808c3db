"""The first API key of a data directory: made once, kept in a file that its owner alone can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.state import replace_privately
from tasks.errors import SettingsError
from tasks.settings import Settings

ADMIN_KEY_FILE = "admin.key"
ADMIN_TENANT = "default"


@dataclass(frozen=True, slots=True)
class AdminKey:
    path: Path
    secret: str


def first_admin_key(settings: Settings) -> Callable[[], AdminKey | None]:
    """What makes the admin key, to be called when Despacho is up: `None` if the directory has one already.

    In two steps, so that the libraries are loaded while other processes start, and a start that fails leaves no
    key that nobody has seen. The call raises `SettingsError` if the file can't be written.
    """
    from tasks.api_keys import SCOPES, ApiKeys
    from tasks.connection import connect

    def make() -> AdminKey | None:
        path = settings.data_dir / ADMIN_KEY_FILE
        if path.exists():
            return None
        with connect(settings) as client:
            _, secret = ApiKeys(client, settings).create("admin", ADMIN_TENANT, SCOPES)
        return _kept(AdminKey(path, secret))

    return make


def _kept(key: AdminKey) -> AdminKey:
    try:
        replace_privately(key.path, f"{key.secret}\n")
    except OSError as error:
        raise SettingsError(f"{key.path} can't be written ({error.strerror}).") from None
    return key
