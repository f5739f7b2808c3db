"""Which addresses a webhook may be sent to: what clients write, and what names stand for."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.callbacks import check_callback, is_public, parse_place
from tasks.errors import InvalidInput, SettingsError
from tasks.settings import Settings

# The special-purpose registries of IANA, as of RFC 6890 and its successors, and multicast.
SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]


@st.composite
def special_addresses(draw: st.DrawFn) -> str:
    network = ip_network(draw(st.sampled_from(SPECIAL)))
    return str(network[draw(st.integers(0, network.num_addresses - 1))])


def refusal(url: str, *allowed: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        check_callback(url, allowed)
    (error,) = refused.value.errors
    assert error.field == "callback_url"
    return error.message


@given(special_addresses())
@example("169.254.169.254")
@example("168.63.129.16")
@example("::ffff:8.8.8.8")
@example("fe80::1%eth0")
def test_no_special_address_is_public(address: str) -> None:
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    assert refusal(f"https://{host}/hooks")


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_nat64_and_mapping_hide_no_private_address(address: IPv4Address) -> None:
    assert is_public(IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))) == is_public(address)
    assert not is_public(IPv6Address(int(IPv6Address("::ffff:0:0")) | int(address)))
    assert not is_public(IPv6Address((0x2002 << 112) | (int(address) << 80)))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@given(st.text(max_size=40).filter(lambda text: not set(text) <= set("0123456789abcdefABCDEF.:")))
@example("8.8.8.8:443")
@example("8.8.8")
@example("08.8.8.8")
@example(" 8.8.8.8")
@example("")
@example("2606:4700::1111%eth0")
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/hooks",
        "https://app.example",
        "https://app.example?to=%2Fx",
        "https://a_b.xn--bcher-kva.example:443/a/b;c=1?d=e&f=@",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/x",
    ],
)
def test_a_https_address_of_the_internet_is_taken(url: str) -> None:
    callback = check_callback(url, ())

    assert (callback.scheme, callback.port) == ("https", 443)
    assert callback.target.startswith("/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://app.example/", "https://"),
        ("ftp://app.example/", "absolute address"),
        ("//app.example/", "absolute address"),
        ("https:///x", "absolute address"),
        ("https://user:secret@app.example/", "no user"),
        ("https://app.example@127.0.0.1/", "no user"),
        ("https://app.example/#top", "fragment"),
        ("https://app.example:8443/", "port 443"),
        ("https://app.example:0/", "port"),
        ("https://app.example:99999/", "port"),
        ("https://app.example\\@127.0.0.1/", "no user"),
        ("https://app.example\\.127.0.0.1/", "absolute address"),
        ("https://app.example/a b", "absolute address"),
        ("https://app.example/%zz", "absolute address"),
        ("https://app.example/\r\nHost: x", "absolute address"),
        ("https://app.example/\n", "absolute address"),
        ("https://app.example/ação", "absolute address"),
        ("https://１２７.0.0.1/", "absolute address"),
        ("https://localhost/", "whole name"),
        ("https://app.localhost/", "whole name"),
        ("https://metadata.google.internal/", "whole name"),
        ("https://redis/", "whole name"),
        ("https://app.example./", "whole name"),
        ("https://-a.example/", "whole name"),
        ("https://127.1/", "whole name"),
        ("https://2130706433/", "whole name"),
        ("https://0x7f.1/", "whole name"),
        ("https://0x7f000001/", "whole name"),
        ("https://0177.0.0.1/", "whole name"),
        ("https://127.0.0.1.5/", "whole name"),
        ("https://127.0.0.1/", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
        ("https://[::ffff:127.0.0.1]/", "private"),
        ("https://[::1]/", "private"),
        ("https://[::zz]/", "absolute address"),
        ("https://[1:2]/", "brackets"),
        ("https://a.example/" + "x" * 2_000, "2000 characters"),
        ("https://" + "a" * 64 + ".example/", "whole name"),
    ],
)
def test_any_other_address_is_refused_with_a_reason(url: str, why: str) -> None:
    assert why in refusal(url)


URL_PIECES = st.sampled_from(
    ["https://", "http://", "app.example", "127.0.0.1", "[::1]", "@", ":", "443", "/", "\\", "?", "#", "%00", "%2f"]
) | st.text(max_size=3)


@given(st.lists(URL_PIECES, max_size=8).map("".join))
@example("https://app.example:443@127.0.0.1/")
def test_what_is_taken_is_read_alike_by_another_reader(url: str) -> None:
    try:
        callback = check_callback(url, ())
    except InvalidInput:
        return
    other = urlsplit(url)

    assert other.hostname == callback.host
    assert (other.port or 443) == callback.port
    assert other.username is None
    assert not other.fragment


def test_the_operator_allows_a_host_and_port_for_anything_else() -> None:
    allowed = ("hooks.internal:8080", "[fd00::1]:443", "10.0.0.5:443")

    assert check_callback("http://Hooks.Internal:8080/x", allowed).host == "hooks.internal"
    assert check_callback("https://[fd00:0::1]/x", allowed).place == "[fd00::1]:443"
    assert check_callback("https://10.0.0.5/x", allowed).authority == "10.0.0.5"
    assert refusal("http://hooks.internal/x", *allowed)
    assert refusal("https://hooks.internal:8081/x", *allowed)
    assert refusal("https://10.0.0.6/x", *allowed)


def test_a_place_has_one_spelling() -> None:
    assert parse_place("Hooks.Internal:8443") == "hooks.internal:8443"
    assert parse_place("[FD00:0:0::1]:443") == "[fd00::1]:443"


@pytest.mark.parametrize("hosts", ["hooks.internal", "[]:1", "a:0", "https://a:443", "a b:443"])
def test_a_wrong_allowed_host_stops_the_start(hosts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESPACHO_WEBHOOK_ALLOWED_HOSTS", f'["{hosts}"]')

    with pytest.raises(SettingsError, match="host:port"):
        Settings.load()
