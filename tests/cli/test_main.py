"""The table of commands: each is there, each explains itself."""

import pytest

from proxy import __version__, compiled
from proxy.cli.main import COMMANDS, main

PROMISED = {
    *("serve", "demo", "init", "check-config", "doctor", "migrate"),
    *("tenant", "user", "role", "package", "key", "model", "usage", "request", "explain"),
}


def test_the_commands_promised_for_this_release_are_there() -> None:
    assert set(COMMANDS) == PROMISED


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_imports_and_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: hatz-gateway {name}")
    assert err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_options_it_does_not_know(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--no-such-option"])
    assert ended.value.code == 2
    assert f"hatz-gateway {name}" in capsys.readouterr().err


def test_an_unknown_command_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["servce"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no command 'servce'" in err
    assert all(f"  {name} " in err for name in COMMANDS)


def test_no_command_at_all_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: hatz-gateway COMMAND")


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_asking_for_help_is_not(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out.startswith("usage: hatz-gateway COMMAND")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hatz-gateway {__version__}, {compiled.IN_USE}\n"
