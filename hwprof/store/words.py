"""Text of the outside world in a column: paths and names as the system gave them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Text, TypeDecorator

from hwprof.printable import encodable


class Words(TypeDecorator[Any]):
    """TEXT that takes any text. What holds a byte that is no UTF-8 (a lone surrogate, which SQLite refuses in text)
    is kept as the bytes of its UTF-8 with surrogates; everything else is ordinary text, as in older files."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """To the database."""
        if value is None or encodable(value) == value:
            return value
        return value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """From the database."""
        return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
