"""`check-config` says everything at once, in a form editors can follow."""

from pathlib import Path

import pytest

from proxy.cli import check_config, init

KEYS = ("ANTHROPIC_API_KEY", "MOONSHOT_API_KEY", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def test_a_good_file_gets_one_line_and_its_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    init.run([str(path)])
    capsys.readouterr()
    assert check_config.run([str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{path}: good; providers: 3, models: 10 (10 enabled)\n"
    for name, warning in zip(KEYS, err.splitlines(), strict=True):
        provider = name.partition("_")[0].lower()
        assert warning.startswith(f"warning: providers.{provider}.api_key: env:{name}")


def test_a_good_file_with_its_key_gets_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "sk-hunter2")
    path = tmp_path / "gateway.toml"
    init.run([str(path)])
    assert check_config.run([str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "hunter2" not in out


def test_every_problem_of_a_bad_file_gets_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HATZ_GATEWAY__SERVER__WORKERS", "0")
    path = tmp_path / "gateway.toml"
    path.write_text('[server]\nprot = 1\n[storage]\nurl = "mysql://u:hunter2@h/d"\n')
    assert check_config.run([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{path}:2: server.prot: unknown setting; did you mean `port`?",
        f"{path}:4: storage.url: expected sqlite:///PATH or postgresql://user@host/db",
        "HATZ_GATEWAY__SERVER__WORKERS: expected a whole number, 1 or more, found 0",
    ]


def test_a_file_that_is_no_toml_gets_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("\n\n[server\n")
    assert check_config.run([str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"{path}:3: not TOML: ")


def test_a_missing_file_is_said_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_config.run([str(tmp_path / "none.toml")]) == 2
    assert "`hatz-gateway init" in capsys.readouterr().err


def test_wrong_use_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        check_config.run([])
    assert caught.value.code == 2
    assert "usage: hatz-gateway check-config" in capsys.readouterr().err
