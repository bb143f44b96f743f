"""What is made beside other work."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from volstyle.codecs.ahead import ahead


def counting(made: list[int], count: int = 100) -> Generator[int, None, None]:
    try:
        for number in range(count):
            made.append(number)
            yield number
    finally:
        made.append(-1)


def test_all_come_in_order_from_another_thread() -> None:
    where: list[int] = []

    def items() -> Generator[int, None, None]:
        for number in range(50):
            where.append(threading.get_ident())
            yield number

    assert list(ahead(ahead(items(), 3), 2)) == list(range(50))
    assert set(where) != {threading.get_ident()}
    assert len(set(where)) == 1
    assert threading.active_count() == 1


def test_no_more_are_made_than_may_wait() -> None:
    made: list[int] = []
    with closing(ahead(counting(made), 3)) as items:
        assert next(items) == 0
        threading.Event().wait(0.2)
        assert made == [0, 1, 2, 3, 4]  # one is taken, three wait, one is in the maker's hand
    assert made[-1] == -1
    assert threading.active_count() == 1


def test_what_the_maker_raises_is_raised_where_it_is_used() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise ValueError("of the maker")

    used = ahead(items(), 2)
    assert next(used) == 1
    with pytest.raises(ValueError, match="of the maker"):
        next(used)
    assert threading.active_count() == 1


def test_one_who_leaves_ends_makers_behind_makers() -> None:
    made: list[int] = []
    with closing(ahead(ahead(counting(made, 10**9), 2), 2)) as items:
        assert [next(items) for _ in range(5)] == list(range(5))
    assert made[-1] == -1
    assert threading.active_count() == 1
