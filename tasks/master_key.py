"""Where the master key comes from: a setting, a file that is named, or a file in the data directory that the first
process to need it makes, for its owner alone.

What is done with it is the business of `tasks/sealing.py`.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
from pathlib import Path

from tasks.errors import SettingsError
from tasks.sealing import SECRET_BYTES, MasterKey, Vault
from tasks.settings import PREFIX, Settings

FILE_NAME = "master.key"
_REMEDY = "A master key is 32 random bytes in base64: make one with `openssl rand -base64 32`."


def load_vault(settings: Settings) -> Vault:
    """The master keys that the settings name. Raises `SettingsError`, which never quotes one."""
    if settings.master_key is not None:
        text, source = settings.master_key.get_secret_value(), f"{PREFIX}MASTER_KEY"
    else:
        path = settings.master_key_file or made(settings.data_dir)
        text, source = _read(path), str(path)
    keys = [_parse(word, source) for word in text.replace(",", " ").split()]
    if not keys:
        raise SettingsError(f"{source} holds no key. {_REMEDY}")
    return Vault(keys)


def new_master_key() -> str:
    """A new key, in the form in which settings and files hold it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def made(data_dir: Path) -> Path:
    """The file in the data directory, made if there is none; of two processes that make it, one is first."""
    path = data_dir.expanduser() / FILE_NAME
    if not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise SettingsError(f"{path} can't be written ({error.strerror}). {_NAME_ONE}") from None
    return path


_NAME_ONE = f"Name a master key with {PREFIX}MASTER_KEY or {PREFIX}MASTER_KEY_FILE."


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".master-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(new_master_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # Fails where another process was first: then its key is ours too.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink(missing_ok=True)


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text()
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"the master key in {path} can't be read ({type(error).__name__}). {_NAME_ONE}") from None


def _parse(word: str, source: str) -> MasterKey:
    try:
        standard = word.replace("-", "+").replace("_", "/")
        return MasterKey(base64.b64decode(standard + "=" * (-len(word) % 4), validate=True))
    except (ValueError, binascii.Error):
        raise SettingsError(f"{source} holds something that is no master key. {_REMEDY}") from None
