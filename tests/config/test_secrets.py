"""References are followed when asked, and no text ever holds a value."""

import copy
import pickle
import traceback
from pathlib import Path

import pytest

from proxy.config.secrets import SECRET_BYTES_MAX, Secret, SecretProblem, reference_fault, resolve

VALUE = "sk-very-secret-0123456789"


def test_a_variable_is_followed_to_its_value() -> None:
    secret = resolve("env:KEY", {"KEY": f" {VALUE}\n"})
    assert secret.reveal() == VALUE
    assert secret.reference == "env:KEY"


@pytest.mark.parametrize("content", [VALUE, f"{VALUE}\n", f"\ufeff{VALUE}\r\n"])
def test_a_file_is_followed_to_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8", newline="")
    assert resolve(f"file:{path}", {}).reveal() == VALUE


def test_a_secret_is_never_in_any_text_form_of_itself() -> None:
    secret = resolve("env:KEY", {"KEY": VALUE})
    forms = [repr(secret), str(secret), f"{secret}", f"{secret:>99}", f"{secret!r:5}"]
    forms += [repr([secret]), repr({"key": secret}), str((secret,)), str(ValueError(secret))]
    assert all("<secret env:KEY>" in form for form in forms)
    assert not any(VALUE in form for form in forms)
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_does_not_leave_by_pickling(leave: object) -> None:
    assert callable(leave)
    with pytest.raises(TypeError) as caught:
        leave(Secret(VALUE, "env:KEY"))
    assert VALUE not in str(caught.value)


def test_a_missing_variable_is_named_with_the_remedy() -> None:
    with pytest.raises(SecretProblem, match="ANTHROPIC_API_KEY is not set; set it"):
        resolve("env:ANTHROPIC_API_KEY", {})


@pytest.mark.parametrize("value", ["", " \n "])
def test_an_empty_value_is_refused(value: str) -> None:
    with pytest.raises(SecretProblem, match="env:KEY: it is empty"):
        resolve("env:KEY", {"KEY": value})


def test_a_value_that_would_break_a_header_is_refused_and_not_shown() -> None:
    with pytest.raises(SecretProblem, match="control characters") as caught:
        resolve("env:KEY", {"KEY": f"{VALUE}\r\nx-evil: 1"})
    assert VALUE not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SecretProblem, match="No such file"):
        resolve(f"file:{tmp_path}/none", {})
    with pytest.raises(SecretProblem, match="cannot be read"):
        resolve(f"file:{tmp_path}", {})


def test_a_file_that_is_no_secret_is_refused_and_not_shown(tmp_path: Path) -> None:
    binary, long = tmp_path / "binary", tmp_path / "long"
    binary.write_bytes(VALUE.encode() + b"\xff\xfe")
    long.write_bytes(b"a" * (SECRET_BYTES_MAX + 1))
    with pytest.raises(SecretProblem, match="not UTF-8") as caught:
        resolve(f"file:{binary}", {})
    assert VALUE not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(SecretProblem, match="longer than"):
        resolve(f"file:{long}", {})


@pytest.mark.parametrize("text", [VALUE, "", "ENV:KEY", "vault:x", f"env {VALUE}"])
def test_plain_text_is_refused_with_the_remedy_and_not_shown(text: str) -> None:
    fault = reference_fault(text)
    assert fault is not None
    assert 'write "env:NAME"' in fault
    assert VALUE not in fault
    with pytest.raises(SecretProblem) as caught:
        resolve(text, {})
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("text", ["env:", "env:9KEY", "env:MY-KEY", f"env:{VALUE}", "file:"])
def test_a_reference_written_wrongly_is_refused_and_not_shown(text: str) -> None:
    fault = reference_fault(text)
    assert fault is not None
    assert "followed by" in fault
    assert VALUE not in fault


@pytest.mark.parametrize("text", ["env:KEY", "env:_a1", "file:/run/secrets/key", "file:key"])
def test_a_reference_written_rightly_has_no_fault(text: str) -> None:
    assert reference_fault(text) is None
