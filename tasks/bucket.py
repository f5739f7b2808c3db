"""A bucket of an S3-compatible store: the only door to it, for backups (`tasks/backup_stores.py`) and for blobs
(`tasks/blobs.py`).

The library is loaded when a bucket is first used, for it is an extra and most installations have none. What it raises
becomes `BucketFailed`, which names the setting to look at and quotes nothing that the store wrote but its error code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from tasks.errors import SettingsError, Unavailable
from tasks.settings import BUCKET, PREFIX, Settings

if TYPE_CHECKING:
    from obstore.store import S3Store

CHUNK_BYTES = 256 << 10
PART_BYTES = 8 << 20
"""What is longer goes up in parts of this size; it is there when the last one is, and not before."""
PARTS_AT_ONCE = 4
CONNECT_S = 5.0
REQUEST_S = 120.0
"""Of one request, with its body."""
REPEATS = 4
REPEATED_FOR_S = 30.0
DELETED_AT_ONCE = 1_000
"""As many names as S3 takes in one request."""
MISSING = (
    "{name} names a bucket, and obstore, which speaks to it, is not installed. Install it with `uv sync --extra s3` "
    "or `pip install obstore==0.12.1`, build the image with `--build-arg EXTRAS=s3`, or name a folder."
)
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_OF_KEYS = frozenset({"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})
_KEYS = (
    f"Check {PREFIX}S3_ACCESS_KEY_ID and {PREFIX}S3_SECRET_ACCESS_KEY (or the provider's own environment), and that "
    "they may list, read, write and delete there."
)


class BucketFailed(Unavailable):
    """A bucket can't be reached or refuses; the message names the setting to look at."""


def is_bucket(address: str | None) -> bool:
    """Whether an address is that of a bucket, and not a folder."""
    return address is not None and address.startswith("s3://")


def check_installed(address: str | None, setting: str) -> None:
    """Raises `SettingsError` where a bucket is named, and what speaks to it is not installed. Loads nothing."""
    if is_bucket(address) and find_spec("obstore") is None:
        raise SettingsError(MISSING.format(name=setting))


@dataclass(frozen=True, slots=True)
class Found:
    """An object: its name below the bucket's prefix, and when it was written, in seconds since 1970."""

    name: str
    changed_s: float


class Bucket:
    """The objects below one prefix of a bucket, by names such as `documents/acme/ab/abcd`. Every method raises
    `BucketFailed`."""

    def __init__(self, store: S3Store, address: str, setting: str) -> None:
        self._store = store
        self.address = address
        self._setting = setting

    @classmethod
    def of(cls, settings: Settings, address: str, setting: str) -> Self:
        """The bucket at an address such as `s3://bucket/prefix`; `setting` is what named it. Nothing is asked of it
        yet. Raises `SettingsError`."""
        match = re.fullmatch(BUCKET, address)
        if match is None:
            raise SettingsError(f"{setting} is {address}, which is no bucket. Name one such as s3://bucket/prefix.")
        check_installed(address, setting)
        return cls(_connected(settings, match["bucket"], match["prefix"] or "", setting), address, setting)

    def check(self) -> None:
        """Ask it for anything at all: so that a wrong key or bucket is told of before there is work to lose."""
        with self._faults():
            next(iter(self._store.list(chunk_size=1)), None)

    def put(self, name: str, content: bytes | BinaryIO) -> None:
        """Write an object, in the place of the one that was there: whole, or not at all."""
        # Never an iterator: the library would ask it from inside of its own loop, where nothing of it may be called.
        is_short = isinstance(content, bytes) and len(content) <= PART_BYTES
        with self._faults():
            self._store.put(
                name,
                cast(Any, content),
                use_multipart=not is_short,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )

    def read(self, name: str) -> bytes:
        """A whole object. Raises `FileNotFoundError`."""
        with self._faults():
            return bytes(self._store.get(name).bytes())

    def chunks(self, name: str) -> Iterator[bytes]:
        """An object a piece at a time. Raises `FileNotFoundError` at once, where it isn't there."""
        with self._faults():
            pieces = iter(self._store.get(name).stream(min_chunk_size=CHUNK_BYTES))
        return self._told(pieces)

    def _told(self, pieces: Iterator[Any]) -> Iterator[bytes]:
        with self._faults():
            yield from map(bytes, pieces)

    def exists(self, name: str) -> bool:
        try:
            with self._faults():
                self._store.head(name)
        except FileNotFoundError:
            return False
        return True

    def all(self, folder: str = "", after: str = "") -> Iterator[Found]:
        """The objects below a folder, in the order of their names; `after`: those whose names come later."""
        listed = self._store.list(folder or None, offset=after or None)
        with self._faults():
            for page in listed:
                for one in page:
                    yield Found(one["path"], one["last_modified"].timestamp())

    def folders(self, folder: str = "") -> Sequence[str]:
        """The names of the folders right below one."""
        with self._faults():
            return list(self._store.list_with_delimiter(folder or None)["common_prefixes"])

    def delete(self, names: Iterable[str]) -> None:
        """Forget objects; one that is gone already is no error."""
        waiting: list[str] = []
        for name in names:
            waiting.append(name)
            if len(waiting) == DELETED_AT_ONCE:
                self._delete(waiting)
                waiting = []
        self._delete(waiting)

    def _delete(self, names: Sequence[str]) -> None:
        if not names:
            return
        with self._faults():
            try:
                self._store.delete(names)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            code = _code(error)
            if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
                raise FileNotFoundError(f"{self.address} holds no such object") from None
            raise BucketFailed(self._explain(error, code)) from None

    def _explain(self, error: Exception, code: str) -> str:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        if code == "NoSuchBucket":
            return f"there is no bucket {self.address}. Make it, or correct {self._setting} or {PREFIX}S3_ENDPOINT."
        if code in _OF_KEYS or isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
            return f"{self.address} refuses the keys ({code or 'http 403'}). {_KEYS}"
        if code:
            return f"{self.address} answers {code}. Check {self._setting}, {PREFIX}S3_ENDPOINT and {PREFIX}S3_REGION."
        return (
            f"{self.address} can't be reached, or broke off. Check {PREFIX}S3_ENDPOINT and the network; if both are "
            "well, try again."
        )


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _connected(settings: Settings, bucket: str, prefix: str, setting: str) -> S3Store:
    given = (
        settings.s3_endpoint,
        settings.s3_region,
        settings.s3_access_key_id and settings.s3_access_key_id.get_secret_value(),
        settings.s3_secret_access_key and settings.s3_secret_access_key.get_secret_value(),
    )
    try:
        return _store(bucket, prefix, *given)
    except Exception as error:
        from obstore.exceptions import BaseError

        if not isinstance(error, BaseError):
            raise
        raise SettingsError(f"the bucket of {setting} can't be used as it is set. {_KEYS}") from None


@cache
def _store(
    bucket: str, prefix: str, endpoint: str | None, region: str | None, key_id: str | None, secret: str | None
) -> S3Store:
    """One for all who ask for the same: it keeps the connections."""
    from obstore.store import S3Store

    told = {"endpoint": endpoint, "region": region, "access_key_id": key_id, "secret_access_key": secret}
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=cast(Any, {name: value for name, value in told.items() if value is not None}),
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "timeout": timedelta(seconds=REQUEST_S),
        },
        retry_config={
            "max_retries": REPEATS,
            "retry_timeout": timedelta(seconds=REPEATED_FOR_S),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    )
