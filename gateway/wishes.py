"""What a client would rather have: headers whose values carry weights (RFC 9110, section 12.4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.requests import Request


def quality(wishes: str, name: str) -> float:
    """How much something is wished for, named as itself; 0 where it isn't."""
    for wish in wishes.split(","):
        named, *parameters = (part.strip().lower() for part in wish.split(";"))
        if named == name:
            return _weight(parameters)
    return 0.0


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def wished(request: Request, header: str) -> str:
    """All that a header says, however often it is sent."""
    return ",".join(request.headers.getlist(header))


def best(wishes: str, offered: Mapping[str, Iterable[str]], default: str) -> str:
    """Of what is offered, under the names that it may be wished for, the one that is wished for most; the first of
    equals, and the default where nobody wishes for any of them."""
    weights = {offer: max(quality(wishes, name) for name in names) for offer, names in offered.items()}
    most = max(weights, key=lambda offer: weights[offer])
    return most if weights[most] > 0 else default
