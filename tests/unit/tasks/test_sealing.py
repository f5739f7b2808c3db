"""What is sealed is read again by who has the key, and by nobody else; what was changed or moved is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import SettingsError
from tasks.master_key import FILE_NAME, load_vault, new_master_key
from tasks.sealing import CHUNK_BYTES, DataKey, MasterKey, SealBroken, Vault
from tasks.settings import Settings

OLD, NEW = MasterKey(b"o" * 32), MasterKey(b"n" * 32)
KEY = Vault([OLD]).new_case_key("acme", "c1").data
ABOUT = ("payload", "acme", "c1", "t1")


@given(st.binary(max_size=2_000))
def test_a_sealed_value_is_read_again_and_tells_nothing(plain: bytes) -> None:
    sealed = KEY.seal(plain, *ABOUT)

    assert KEY.open(sealed, *ABOUT) == plain
    assert len(plain) < 4 or plain not in sealed
    assert KEY.seal(plain, *ABOUT) != sealed


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_value_that_was_changed_is_refused(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(KEY.seal(plain, *ABOUT))
    place = data.draw(st.integers(1, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SealBroken):
        KEY.open(bytes(sealed), *ABOUT)


@pytest.mark.parametrize("other", [("result", *ABOUT[1:]), ("payload", "rival", "c1", "t1"), (*ABOUT[:3], "t2")])
def test_a_value_that_was_put_elsewhere_is_refused(other: tuple[str, ...]) -> None:
    with pytest.raises(SealBroken):
        KEY.open(KEY.seal(b"words", *ABOUT), *other)


def test_what_an_older_release_wrote_in_clear_is_read_as_it_is() -> None:
    assert KEY.open(b'{"case_id":"c1"}', *ABOUT) == b'{"case_id":"c1"}'
    assert b"".join(KEY.open_file([b"%PDF-1.7", b" text"], *ABOUT)) == b"%PDF-1.7 text"
    assert list(KEY.open_file([], *ABOUT)) == [b""]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_a_file_is_read_again_however_it_is_cut(size: int) -> None:
    plain = bytes(number % 251 for number in range(size))
    sealed = b"".join(KEY.seal_file([plain[:10], plain[10:]], *ABOUT))

    again = b"".join(KEY.open_file([sealed[:3], sealed[3:100], sealed[100:]], *ABOUT))

    assert again == plain


def test_a_file_that_is_cut_off_swapped_or_of_another_is_refused() -> None:
    plain = b"a" * (2 * CHUNK_BYTES)
    sealed = b"".join(KEY.seal_file([plain], *ABOUT))
    head, piece = len(sealed) - 2 * (CHUNK_BYTES + 16), CHUNK_BYTES + 16
    swapped = sealed[:head] + sealed[head + piece :] + sealed[head : head + piece]
    for wrong in (sealed[:-1], sealed[: head + piece], sealed[:20], swapped, sealed + b"x"):
        with pytest.raises(SealBroken):
            b"".join(KEY.open_file([wrong], *ABOUT))
    with pytest.raises(SealBroken):
        b"".join(KEY.open_file([sealed], "payload", "acme", "c1", "t2"))


def test_a_cases_key_is_wrapped_for_that_case_alone() -> None:
    vault = Vault([OLD])
    key = vault.new_case_key("acme", "c1")

    assert vault.unwrap(key.wrapped, "acme", "c1").data == key.data
    assert key.data.secret not in key.wrapped
    for tenant, case_id in (("acme", "c2"), ("rival", "c1")):
        with pytest.raises(SealBroken):
            vault.unwrap(key.wrapped, tenant, case_id)
    with pytest.raises(SealBroken):
        Vault([NEW]).unwrap(key.wrapped, "acme", "c1")
    with pytest.raises(SealBroken):
        vault.unwrap(b"\x01short", "acme", "c1")


def test_a_new_master_key_still_opens_what_lies_under_the_old_one() -> None:
    key = Vault([OLD]).new_case_key("acme", "c1")
    both = Vault([NEW, OLD])

    rewrapped = both.rewrapped(key.wrapped, "acme", "c1")

    assert both.unwrap(key.wrapped, "acme", "c1").data == key.data
    assert rewrapped is not None
    assert Vault([NEW]).unwrap(rewrapped, "acme", "c1").data == key.data
    assert both.rewrapped(rewrapped, "acme", "c1") is None
    assert both.task_key("acme", "t1", OLD.key_id) == Vault([OLD]).task_key("acme", "t1")
    with pytest.raises(SealBroken):
        Vault([NEW]).task_key("acme", "t1", OLD.key_id)


def test_a_signature_holds_for_what_was_signed_and_under_older_master_keys_too() -> None:
    signature, public = Vault([OLD]).sign(b"erased")

    assert Vault([NEW, OLD]).has_signed(b"erased", signature)
    assert not Vault([NEW]).has_signed(b"erased", signature)
    assert not Vault([OLD]).has_signed(b"kept", signature)
    assert not Vault([OLD]).has_signed(b"erased", "no hex")
    assert len(public) == 64


def test_a_key_is_never_shown() -> None:
    assert "secret" not in repr(DataKey(b"12345678", b"secret" * 4))
    assert "secret" not in repr(KEY.sealer())


# -------------------------------------------------------------------------------------------- where it is


def test_the_first_process_makes_the_file_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    first, second = load_vault(settings), load_vault(settings)

    path = tmp_path / "data" / FILE_NAME
    assert first.master.key_id == second.master.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_setting_or_a_named_file_comes_before_the_data_directory(tmp_path: Path) -> None:
    old, new = new_master_key(), new_master_key()
    file = tmp_path / "keys"
    file.write_text(f"{new}\n{old}\n")

    from_file = load_vault(Settings(data_dir=tmp_path, master_key_file=file))
    from_text = load_vault(Settings(data_dir=tmp_path, master_key=f"{new},{old}"))  # type: ignore[arg-type]

    assert from_file.master.key_id == from_text.master.key_id
    assert from_file.is_master(load_vault(Settings(master_key=old)).master.key_id)  # type: ignore[arg-type]
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("wrong", ["", "short", "ã" * 44, "=" * 44])
def test_a_wrong_master_key_stops_the_start_and_is_not_quoted(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError) as told:
        load_vault(Settings(data_dir=tmp_path, master_key=wrong))  # type: ignore[arg-type]
    assert "DESPACHO_MASTER_KEY" in str(told.value)
    assert len(wrong) < 6 or wrong not in str(told.value)
    with pytest.raises(SettingsError):
        load_vault(Settings(data_dir=tmp_path, master_key_file=tmp_path / "nowhere"))
