"""Where webhooks may be sent: what clients may name, and the network addresses that a name may stand for.

A client chooses where Despacho sends a request to, so both are checked: what is written, when it is submitted, and
what it resolves to, each time something is sent. Only what anyone on the internet could reach too may be reached,
over https on port 443, but for the `host:port` that the operator allows. Sending is not this module's business.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from tasks.errors import InvalidInput

LONGEST_URL = 2_000
PORTS = {"https": 443, "http": 80}

# One strict form of RFC 3986, so that no two readers of an address can see different hosts in it.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)"
)
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
# What ends in a digit's label is read as a number by resolvers: 127.1, 0x7f.1 and 2130706433 are this machine.
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NEVER_PUBLIC = (".localhost", ".local", ".internal", ".home.arpa")

_NOT_FOR_ALL_V4 = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Public by its number, and answered by the host that a virtual machine in Azure runs on.
        "168.63.129.16/32",
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_FOR_ALL_V6 = tuple(
    IPv6Network(network)
    # IETF's own with Teredo, documentation, 6to4, documentation again: what isn't for all within 2000::/3.
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Callback:
    """An address in its parts. `host` is in small letters, without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """`host:port`, as the operator writes it."""
        return place(self.host, self.port)

    @property
    def authority(self) -> str:
        """What the `Host` header says: the port only where it isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_place(text: str) -> str:
    """A `host:port` in its one spelling. Raises `ValueError`."""
    parts = _PLACE.fullmatch(text)
    if parts is None or not 1 <= int(parts["port"]) <= 65_535:
        raise ValueError(f"{text!r} is not host:port, such as hooks.internal:8443 or [fd00::1]:443")
    return place(_host(parts["host"]), int(parts["port"]))


def place_of(url: str) -> str:
    """The `host:port` of an address, allowed or not: what may be told of one whose query may be a secret. Raises
    `InvalidInput`."""
    return _parse(url, "url").place


def check_callback(url: str, allowed: Collection[str], field: str = "callback_url") -> Callback:
    """The parts of an address to which webhooks may be sent, as far as that can be said without resolving it.
    `allowed` are the operator's `host:port`, for which no other rule holds.

    Raises `InvalidInput`, which names the field and says what would be right.
    """
    callback = _parse(url, field)
    if callback.place in allowed:
        return callback
    if callback.scheme != "https":
        raise InvalidInput.of(field, "must begin with https://")
    if callback.port != PORTS["https"]:
        raise InvalidInput.of(field, f"must use port 443; {callback.place} is not allowed by the operator")
    _check_host(callback.host, field)
    return callback


def _parse(url: str, field: str) -> Callback:
    if len(url) > LONGEST_URL:
        raise InvalidInput.of(field, f"must have at most {LONGEST_URL} characters")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise InvalidInput.of(field, _what_is_wrong(url))
    port = int(parts["port"] or PORTS[parts["scheme"]])
    if not 1 <= port <= 65_535:
        raise InvalidInput.of(field, "must have a port from 1 to 65535")
    try:
        host = _host(parts["host"])
    except ValueError:
        raise InvalidInput.of(field, "must name a host; what is in the brackets is no address") from None
    target = parts["target"] if parts["target"].startswith("/") else "/" + parts["target"]
    return Callback(parts["scheme"], host, port, target)


def _host(written: str) -> str:
    """In small letters; an IPv6 address in its shortest form, without brackets. Raises `ValueError`."""
    return IPv6Address(written[1:-1]).compressed if written.startswith("[") else written.lower()


def _what_is_wrong(url: str) -> str:
    if "@" in re.split(r"[/?#]", url.partition("://")[2])[0]:
        return "must hold no user and no password"
    if "#" in url:
        return "must hold no fragment (#)"
    return "must be an absolute address such as https://app.example/hooks, in ASCII and with escapes (%20, xn--)"


def _check_host(host: str, field: str) -> None:
    address = _literal(host)
    if address is not None:
        if not is_public(address):
            raise InvalidInput.of(field, f"must not be a private or special address; {host} is one")
    elif _NAME.fullmatch(host) is None or f".{host}".endswith(_NEVER_PUBLIC):
        raise InvalidInput.of(field, "must name a host of the internet by its whole name, such as app.example")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether this is an address of one host that anyone on the internet could reach.

    Stricter than `ipaddress.is_global`, which differs between releases of Python and takes multicast for global:
    besides it, what IANA's special-purpose registries list is refused, every IPv6 address outside of global unicast
    (`2000::/3`), and those that hold an IPv4 address in some other way than NAT64, whose IPv4 address is looked at.
    """
    if isinstance(address, str):
        try:
            # With a zone it is an address of one link.
            address = ip_address(address)
        except ValueError:
            return False
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_FOR_ALL_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _UNICAST_V6 and address.is_global and not any(address in network for network in _NOT_FOR_ALL_V6)
