from typing import Any

import pytest

from proxy.demo.models import MODELS, find, page

IDS = [model.model_id for model in MODELS]


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ({}, IDS, False),
        ({"limit": "1000"}, IDS, False),
        ({"limit": "2"}, IDS[:2], True),
        ({"limit": "2", "after_id": IDS[1]}, IDS[2:4], True),
        ({"after_id": IDS[-1]}, [], False),
        ({"limit": "1", "before_id": IDS[2]}, IDS[1:2], True),
        ({"before_id": IDS[0]}, [], False),
    ],
)
def test_pages(query: dict[str, str], ids: list[str], has_more: bool) -> None:
    found: Any = page(query)
    assert [row["id"] for row in found["data"]] == ids
    assert found["has_more"] is has_more
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "99999999999"])
def test_wrong_limits_give_no_page(limit: str) -> None:
    assert page({"limit": limit}) is None


def test_models_are_found_by_id() -> None:
    assert find(IDS[0]) == MODELS[0]
    assert find("nobody") is None
