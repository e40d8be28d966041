"""Places are found in whatever TOML allows, and nothing makes the finder fall over."""

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.config.lines import Place, locate

DOCUMENT = '''\
# 1
top = 1

[server]                     # 4
port = 1
"quoted key".'x' = 2         # 6
text = """
not = 8
[nor] = 9
"""
raw = \'\'\'
]]\'\'\'\'\'
after = 13

[[models]]                   # 15
id = "a # ] }"
list = [
  1, # comment ]
  "two",

  { three = 3, four.five = "}" },
]

[models.rates]               # 24
input = 1

[[models]]                   # 27
id = "b"
rates = { input = 1 }
[[models.deployments]]       # 30
provider = 'p'
[[models.deployments]]
provider = 'q'
[late.table]
at = 1979-05-27 07:32:00     # 35
'''

PLACES: list[tuple[Place, int]] = [
    (("top",), 2),
    (("server",), 4),
    (("server", "port"), 5),
    (("server", "quoted key"), 6),
    (("server", "quoted key", "x"), 6),
    (("server", "text"), 7),
    (("server", "raw"), 11),
    (("server", "after"), 13),
    (("models",), 15),
    (("models", 0), 15),
    (("models", 0, "id"), 16),
    (("models", 0, "list"), 17),
    (("models", 0, "list", 0), 18),
    (("models", 0, "list", 1), 19),
    (("models", 0, "list", 2), 21),
    (("models", 0, "list", 2, "three"), 21),
    (("models", 0, "list", 2, "four", "five"), 21),
    (("models", 0, "rates"), 24),
    (("models", 0, "rates", "input"), 25),
    (("models", 1), 27),
    (("models", 1, "rates", "input"), 29),
    (("models", 1, "deployments", 0), 30),
    (("models", 1, "deployments", 0, "provider"), 31),
    (("models", 1, "deployments", 1, "provider"), 33),
    (("late", "table"), 34),
    (("late", "table", "at"), 35),
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(("path", "line"), PLACES, ids=[str(path) for path, _ in PLACES])
def test_a_place_is_found_at_its_line(path: Place, line: int, line_end: str) -> None:
    lines = locate(DOCUMENT.replace("\n", line_end))
    assert lines.places[path] == line
    assert lines.line_of(path) == line


def test_what_is_not_there_is_at_the_nearest_place_around_it() -> None:
    lines = locate(DOCUMENT)
    assert lines.line_of(("models", 1, "rates", "output")) == 29
    assert lines.line_of(("models", 1, "family")) == 27
    assert lines.line_of(("elsewhere", "x")) == 1
    assert lines.line_of(()) == 1


def test_a_table_that_was_implied_first_is_at_its_own_header() -> None:
    assert locate("[a.b]\nx = 1\n\n[a]\ny = 1\n").line_of(("a",)) == 4


@pytest.mark.parametrize(
    "text", ["[", "a = ", "a = [", "a = {b", '"', "= 1", "a = '''", "]]", "a.="]
)
def test_what_is_no_toml_is_left_where_it_stops(text: str) -> None:
    assert locate(f"ok = 1\n{text}").line_of(("ok",)) == 1


def test_nesting_deeper_than_the_stack_is_left_where_it_stops() -> None:
    assert locate("ok = 1\nx = " + "[" * 50_000).line_of(("x",)) == 2


# ---------------------------------------------------------------- any TOML

SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        "inf",
        "1979-05-27",
        "1979-05-27 07:32:00Z",
        '"a # ] } \\" = b"',
        "'[x]\\'",
        '"""\nx = 1\n[y]\\\n \\"""" """',
        '"""a"""""',
        "'''\n]]'\n''''",
        "''''''",
        '""',
    ]
)
BLANKS = st.sampled_from(["", " ", "\t"])
BREAKS = st.sampled_from(["", "\n", " # ] } , \" '''\n", "\n\n  "])
KEYS = st.sampled_from(["a", "b-c", "1", '"q.u"', "'l # ]'", '"\\u0041"', "true", '""'])


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(inner, max_size=3))
    text = "["
    for index, item in enumerate(items):
        last = index == len(items) - 1 and draw(st.booleans())
        text += draw(BREAKS) + item + draw(BREAKS) + ("" if last else ",")
    return text + draw(BREAKS) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(st.sampled_from(["a", '"b"', "c.d", "c . 'e'"]), max_size=3, unique=True))
    pairs = [f"{draw(BLANKS)}{key}{draw(BLANKS)}={draw(BLANKS)}{draw(inner)} " for key in keys]
    return "{" + ",".join(pairs) + "}"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> str:
    statements = []
    for _ in range(draw(st.integers(0, 8))):
        key = draw(BLANKS).join([*draw(st.lists(KEYS, min_size=1, max_size=3))])
        dotted = (draw(BLANKS) + "." + draw(BLANKS)).join(
            draw(st.lists(KEYS, min_size=1, max_size=3))
        )
        kind = draw(st.sampled_from(["pair", "pair", "table", "element", "comment"]))
        statements.append(
            {
                "pair": f"{dotted}{draw(BLANKS)}={draw(BLANKS)}{draw(VALUES)}",
                "table": f"[{draw(BLANKS)}{dotted}{draw(BLANKS)}] # c",
                "element": f"[[{draw(BLANKS)}{dotted}{draw(BLANKS)}]]",
                "comment": f"# {key} = [",
            }[kind]
        )
        if draw(st.booleans()):
            statements.append("")
    return draw(st.sampled_from(["\n", "\r\n"])).join(statements)


def places_in(value: object, path: Place) -> Iterator[Place]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places_in(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from places_in(item, (*path, index))


def parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # keys drawn at random may collide
        return None


@given(documents())
@example("[a]\n[[a.b]]\n[a.b.c]\nd=[{e=[[1],\n[2]]}]\n[[a.b]]\nc.d=1")
def test_everything_in_any_valid_toml_is_found_at_a_line_that_is_there(text: str) -> None:
    raw = parsed(text)
    lines = locate(text)
    line_count = text.count("\n") + 1
    assert all(1 <= line <= line_count for line in lines.places.values())
    if raw is not None:
        assert set(places_in(raw, ())) == set(lines.places)


@given(documents(), st.integers(0, 5))
def test_a_setting_is_found_where_it_was_put_whatever_stands_around_it(
    text: str, extra: int
) -> None:
    before = text + "\n" * extra
    probed = f"{before}\n[probe.table]\nsetting = [\n 1]\n"
    if parsed(probed) is None:
        return
    header = before.count("\n") + 2
    lines = locate(probed)
    assert lines.places["probe", "table"] == header
    assert lines.places["probe", "table", "setting"] == header + 1
    assert lines.places["probe", "table", "setting", 0] == header + 2


@given(
    st.lists(
        st.sampled_from(
            ["[", "]", "{", "}", '"', "'", "=", ".", ",", "a", "\n", "#", "\\", " ", "1"]
        )
    )
)
def test_no_text_makes_it_fall_over(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert all(1 <= line <= text.count("\n") + 1 for line in locate(text).places.values())
