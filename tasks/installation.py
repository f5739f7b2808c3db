"""What a process makes sure of before it works on an installation: that it is whole, that its secrets lie under our
master key, and that its blob store answers."""

from __future__ import annotations

import logging

import redis

from tasks.blobs import check_blobs
from tasks.bucket import BucketFailed
from tasks.keys import Keys
from tasks.master_key import check_master_key
from tasks.restoring import check_whole
from tasks.settings import Settings

log = logging.getLogger(__name__)


def check_installation(client: redis.Redis, settings: Settings) -> None:
    """Raises `SettingsError` for half of a restore, a master key that isn't this Redis's, and a bucket that can't be
    used as it is set; and `Unavailable`. A bucket that doesn't answer is logged: it may be back in time."""
    check_whole(client, Keys(settings.namespace))
    check_master_key(client, settings)
    try:
        check_blobs(settings)
    except BucketFailed as error:
        log.error("%s", error)
