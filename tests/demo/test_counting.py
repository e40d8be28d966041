from typing import Any

import pytest

from proxy.demo.counting import count_tokens

BASE: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_a_count_is_above_zero_and_the_same_each_time() -> None:
    assert count_tokens({}) > 0
    assert count_tokens(BASE) == count_tokens(dict(BASE))


@pytest.mark.parametrize(
    "more",
    [
        {"system": "Be brief."},
        {"system": [{"type": "text", "text": "Be brief."}]},
        {"tools": [{"name": "t", "input_schema": {"type": "object"}}]},
        {"messages": [{"role": "user", "content": "hi, how are you today"}]},
        {"messages": [*BASE["messages"], {"role": "assistant", "content": "a"}]},
        {"thinking": {"type": "adaptive"}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_count_grows_with_content(more: dict[str, Any]) -> None:
    assert count_tokens(BASE | more) > count_tokens(BASE)


def test_an_encoded_file_has_a_flat_price() -> None:
    def with_picture(data: str) -> dict[str, Any]:
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content = [{"type": "image", "source": source}]
        return {"messages": [{"role": "user", "content": content}]}

    assert count_tokens(with_picture("A" * 10)) == count_tokens(with_picture("A" * 100_000))


def test_cache_marks_cost_nothing() -> None:
    block = {"type": "text", "text": "hi"}
    marked = block | {"cache_control": {"type": "ephemeral"}}
    assert count_tokens({"system": [block]}) == count_tokens({"system": [marked]})


def test_deep_nesting_is_counted_without_recursion() -> None:
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    assert count_tokens({"messages": nested}) > 5000


def test_an_encoded_picture_has_a_flat_price_on_either_wire() -> None:
    def asked(url: str) -> dict[str, object]:
        part = {"type": "image_url", "image_url": {"url": url}}
        return {"messages": [{"role": "user", "content": [part]}]}

    small, large = asked("data:image/png;base64,aa"), asked("data:image/png;base64," + "a" * 9000)
    assert count_tokens(small) == count_tokens(large) > 1000
