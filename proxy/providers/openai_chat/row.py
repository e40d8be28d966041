"""What a row of the table of servers is made of."""

from typing import Any

import msgspec

from proxy.domain.dialect import Dialect

Rule = tuple[str, dict[str, Any]]
"""A pattern searched in the model's name (lower case), and the fields it changes. All rules that
match apply, in order."""


class Row(msgspec.Struct, frozen=True):
    """One kind of server."""

    dialect: Dialect
    rules: tuple[Rule, ...] = ()
