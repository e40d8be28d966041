"""`init` writes the example once, and never over anything."""

from importlib import resources
from pathlib import Path

import pytest

from proxy.cli import init

EXAMPLE = resources.files("proxy.config").joinpath("example.toml").read_bytes()


def test_it_writes_gateway_toml_where_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init.run([]) == 0
    assert (tmp_path / "gateway.toml").read_bytes() == EXAMPLE
    out, err = capsys.readouterr()
    assert "wrote gateway.toml" in out
    assert "hatz-gateway check-config gateway.toml" in out
    assert err == ""


def test_it_writes_the_file_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    assert init.run([str(path)]) == 0
    assert path.read_bytes() == EXAMPLE


def test_it_does_not_write_over_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("mine")
    assert init.run([str(path)]) == 1
    assert path.read_text() == "mine"
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"hatz-gateway init: {path} is already there; name another file or move it away\n"
    )


def test_it_does_not_make_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init.run([str(tmp_path / "none" / "gateway.toml")]) == 1
    assert f"there is no folder {tmp_path}/none; make it first" in capsys.readouterr().err


def test_it_says_why_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert init.run([str(tmp_path / "file" / "gateway.toml")]) == 1
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_wrong_use_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        init.run(["a", "b"])
    assert caught.value.code == 2
    assert "usage: hatz-gateway init" in capsys.readouterr().err
