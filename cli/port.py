"""Whether the gateway will be able to listen, asked before anything is started."""

from __future__ import annotations

import errno
import socket

from tasks.errors import SettingsError
from tasks.settings import Settings

REMEDIES = {
    errno.EADDRINUSE: "is in use by another program. Stop that, or choose another port with --port or DESPACHO_PORT.",
    errno.EACCES: "may not be used by this user. Choose one above 1023 with --port or DESPACHO_PORT.",
}
OTHER_REMEDY = "can't be listened on. Choose an address of this machine with --host or DESPACHO_HOST."


def free_port(settings: Settings) -> int:
    """The port that the gateway can bind: the one that is set, or with 0 one that the machine picks.

    The gateway binds it a moment later. Like it, this sets SO_REUSEADDR, so that connections of an earlier run
    in TIME_WAIT don't count as users of the port; a program that listens does. Raises `SettingsError`.
    """
    try:
        family, kind, protocol, _, address = _address(settings)
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            return int(trial.getsockname()[1])
    except (OSError, UnicodeError) as error:
        remedy = REMEDIES.get(getattr(error, "errno", None) or 0, OTHER_REMEDY)
        raise SettingsError(f"{settings.host}:{settings.port} {remedy}") from None


def address_to_open(settings: Settings) -> str:
    """What a browser on this machine is pointed to."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _address(settings: Settings) -> tuple[int, int, int, str, tuple[str, int]]:
    found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, name, address = found[0]
    return family, kind, protocol, name, address  # type: ignore[return-value]
