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
from typing import cast

import redis

from tasks.errors import SettingsError
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.sealing import SECRET_BYTES, MasterKey, SealBroken, Vault
from tasks.settings import PREFIX, Settings

FILE_NAME = "master.key"
SCANNED_AT_ONCE = 500
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


def check_master_key(client: redis.Redis, settings: Settings) -> None:
    """Make sure that what lies in this Redis lies under a master key of ours; the first process to come says which
    one that is. A process with another key would seal what nobody else can read.

    Raises `SettingsError` and `Unavailable`."""
    vault, name = load_vault(settings), Keys(settings.namespace).of("master_key_id")
    ours = vault.master.key_id.hex()
    with redis_faults():
        client.set(name, ours, nx=True)
        used = cast(bytes, client.get(name)).decode()
    if not vault.is_master(bytes.fromhex(used)):
        raise SettingsError(
            f"this Redis holds what was sealed under the master key {used}, and ours is {ours}. Name the other one "
            f"with {PREFIX}MASTER_KEY or {PREFIX}MASTER_KEY_FILE, or copy {FILE_NAME} from where it was made."
        )
    if used != ours:
        with redis_faults():
            client.set(name, ours)


def rewrap_all(client: redis.Redis, settings: Settings) -> int:
    """Put the keys of all cases under the present master key; returns how many lay under an older one.

    Raises `SettingsError` where one lies under a master key that isn't named, and `Unavailable`."""
    vault, keys, moved = load_vault(settings), Keys(settings.namespace), 0
    prefix = keys.of("case_key", tenant="", case="")[:-1]
    with redis_faults():
        for name in client.scan_iter(match=f"{prefix}*", count=SCANNED_AT_ONCE):
            tenant, _, case_id = cast(bytes, name).decode().removeprefix(prefix).partition(":")
            moved += _rewrap(client, cast(bytes, name), tenant, case_id, vault)
    return moved


def _rewrap(client: redis.Redis, name: bytes, tenant: str, case_id: str, vault: Vault) -> int:
    wrapped = cast(bytes | None, client.get(name))
    try:
        fresh = None if wrapped is None else vault.rewrapped(wrapped, tenant, case_id)
    except SealBroken:
        raise SettingsError(f"the key of a case lies under a master key that is not named. {_NAME_ONE}") from None
    # XX: a case that is erased meanwhile gets no key again.
    return 0 if fresh is None else int(bool(client.set(name, fresh, xx=True, keepttl=True)))


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
