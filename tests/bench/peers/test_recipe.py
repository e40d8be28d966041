"""A peer's recipe: what stands in it is filled in, what is wrong with it is said."""

import pathlib

import pytest

from bench.peers import known, recipe
from bench.peers.recipe import BadRecipe, Recipe

PLACES = {
    "port": "1",
    "tls_port": "2",
    "home": "/h",
    "key": "k",
    "certificate": "/c",
    "upstream": "http://u:3",
    "upstream_port": "3",
    "tls_upstream": "https://u:4",
    "tls_upstream_port": "4",
}
MADE = Recipe(
    name="other",
    command=["other", "--config", "$home/x", "--port", "$port"],
    env={"TRUST": "$certificate"},
    files={"x": "key: $key\n$for_each_score\nprice: $$5 $unknown\n"},
    for_each_score="- $scheme $score $upstream",
)


def test_words_are_filled_in_and_scores_written_once_each() -> None:
    written = MADE.written(["a", "b"], PLACES)
    assert written.command == ["other", "--config", "/h/x", "--port", "1"]
    assert written.env == {"TRUST": "/c"}
    assert written.files["x"] == (
        "key: k\n- http a http://u:3\n- http b http://u:3\nprice: $5 $unknown\n"
    )


def test_a_peer_that_can_has_each_score_over_https_too() -> None:
    both = Recipe(**{**{f: getattr(MADE, f) for f in Recipe.__struct_fields__}, "tls": True})
    assert "- https b https://u:4" in both.written(["a", "b"], PLACES).files["x"]


def test_recipes_are_read_from_a_file_as_its_documentation_shows(tmp_path: pathlib.Path) -> None:
    assert recipe.__doc__ is not None
    shown = recipe.__doc__.partition("    [[peers]]")[2].partition("\n\nWords")[0]
    text = "[[peers]]" + shown.replace("\n    ", "\n")
    (tmp_path / "peers.toml").write_text(text)
    (found,) = recipe.read(tmp_path / "peers.toml")
    assert (found.name, found.ready, found.model) == ("other", "/health", "$score")
    assert "$for_each_score" in found.files["other.yaml"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[peers]]\nname = 'x'\n", "missing required field `command`"),
        ("[[peers]]\nname = 'x'\ncommand = ['x']\ncolour = 1\n", "unknown field `colour`"),
        ("[[peers]]\nname = 'x'\ncommand = ['x']\n" * 2, "stands there twice"),
        ("peers = [", "peers.toml"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: pathlib.Path, text: str, says: str) -> None:
    (tmp_path / "peers.toml").write_text(text)
    with pytest.raises(BadRecipe, match=says):
        recipe.read(tmp_path / "peers.toml")
    with pytest.raises(BadRecipe, match=r"gone\.toml"):
        recipe.read(tmp_path / "gone.toml")


def test_every_pinned_version_is_exact() -> None:
    pins = [
        line
        for line in (known.HERE / "litellm.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert any(line.startswith("litellm==") for line in pins)
    assert [line for line in pins if line.count("==") != 1] == []
    package = (known.HERE / "portkey" / "package.json").read_text()
    assert not set("^~*") & set(package)


def test_a_peer_that_cannot_be_installed_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    pins = tmp_path / "litellm.txt"
    pins.write_text("litellm==0.0.0.dev0\nno such requirement !\n")
    monkeypatch.setattr(known, "HERE", tmp_path)
    monkeypatch.setattr(known, "PLACE", tmp_path / "place")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(known.CannotInstall, match="node and npm are missing"):
        known.recipe(known.PORTKEY)
