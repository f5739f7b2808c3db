"""`despacho webhooks` against a server."""

from __future__ import annotations

import pytest
import redis

from cli.main import main
from tasks.settings import Settings
from tasks.webhooks import Webhooks

Said = pytest.CaptureFixture[str]
URL = "https://app.example/hooks"


@pytest.fixture
def at(client: redis.Redis, settings: Settings) -> tuple[str, ...]:
    return ("--tenant", "acme", "--redis-url", settings.redis_url, "--data-dir", str(settings.data_dir))


def test_a_secret_is_shown_once_and_rotated(
    at: tuple[str, ...], capsys: Said, client: redis.Redis, settings: Settings
) -> None:
    assert main(["webhooks", "secret", *at]) == 0
    first = capsys.readouterr().out.split()[-1]
    assert main(["webhooks", "secret", *at]) == 0
    assert first not in capsys.readouterr().out
    assert main(["webhooks", "secret", "--rotate", *at]) == 0
    second = capsys.readouterr().out.splitlines()[0].split()[-1]
    assert main(["webhooks", "show", *at]) == 0
    shown = capsys.readouterr().out

    assert first.startswith("whsec_")
    assert [secret.text for secret in Webhooks(client, settings).secrets("acme")] == [second, first]
    assert "secret before it" in shown
    assert "whsec_" not in shown


def test_a_default_address_is_set_shown_and_unset(at: tuple[str, ...], capsys: Said) -> None:
    assert main(["webhooks", "url", URL, *at]) == 2
    assert "despacho webhooks secret --tenant acme" in capsys.readouterr().err
    main(["webhooks", "secret", *at])

    assert main(["webhooks", "url", URL, *at]) == 0
    main(["webhooks", "show", *at])
    assert f"default address: {URL}" in capsys.readouterr().out

    assert main(["webhooks", "url", "--none", *at]) == 0
    main(["webhooks", "show", *at])
    assert "default address: none" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://app.example/", "https://127.0.0.1/", "https://a:b@app.example/", "hooks"])
def test_an_address_that_is_not_allowed_is_refused_in_one_line(at: tuple[str, ...], capsys: Said, url: str) -> None:
    main(["webhooks", "secret", *at])
    capsys.readouterr()

    assert main(["webhooks", "url", url, *at]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_disabled_address_is_shown_and_enabled(
    at: tuple[str, ...], capsys: Said, client: redis.Redis, settings: Settings
) -> None:
    Webhooks(client, settings).disable("acme", URL)
    main(["webhooks", "show", *at])
    assert URL in capsys.readouterr().out

    assert main(["webhooks", "enable", URL, *at]) == 0
    assert main(["webhooks", "enable", URL, *at]) == 1
    main(["webhooks", "show", *at])
    assert "disabled" not in capsys.readouterr().out


@pytest.mark.parametrize("tenant", ["Acme", "a:b", "acme\n", ""])
def test_an_odd_tenant_is_refused(at: tuple[str, ...], capsys: Said, tenant: str) -> None:
    for action in (["show"], ["secret"], ["url", "--none"], ["enable", URL]):
        assert main(["webhooks", *action, *at[2:], "--tenant", tenant]) == 2
        assert "tenant" in capsys.readouterr().err
