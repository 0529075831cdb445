"""Stages overlap, wait for each other within bounds, and end together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from selfroute import pipeline

Wait = Callable[[Callable[[], bool]], None]


def one(item: object) -> int:
    return 1


def test_items_come_in_order_and_all_of_them() -> None:
    with pipeline.ahead(iter(range(1000)), one, 3) as items:
        assert list(items) == list(range(1000))


def test_what_is_made_ahead_is_bounded_by_its_weight(wait_until: Wait) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    with pipeline.ahead(items(), lambda n: 10, 30) as taken:
        wait_until(lambda: len(made) == 4)  # three of weight 10 wait, and the fourth cannot be given
        assert next(taken) == 0
        assert next(taken) == 1
        wait_until(lambda: len(made) == 5)
        assert len(made) == 5


def test_an_item_that_alone_exceeds_the_bound_passes() -> None:
    with pipeline.ahead(iter([1, 2]), lambda n: 1000, 3) as items:
        assert list(items) == [1, 2]


def test_what_making_raises_is_raised_where_it_is_taken() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pipeline.ahead(items(), one, 3) as taken:
        assert next(taken) == 1
        with pytest.raises(ZeroDivisionError):
            next(taken)


def test_who_takes_no_more_ends_the_making(wait_until: Wait) -> None:
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            ended.set()

    with pipeline.ahead(items(), one, 3) as taken:
        next(taken)
    wait_until(ended.is_set)
    assert ended.is_set()


def test_work_that_is_left_behind_is_done_in_order_before_it_is_left() -> None:
    done: list[int] = []
    with pipeline.behind(done.append, one, 2) as hand_over:
        for n in range(100):
            hand_over(n)
    assert done == list(range(100))


def test_no_more_than_its_bound_is_left_behind(wait_until: Wait) -> None:
    go_on, given = threading.Event(), []
    with pipeline.behind(lambda n: go_on.wait(60) and None, one, 2) as hand_over:

        def give() -> None:
            for n in range(4):
                hand_over(n)
                given.append(n)

        thread = threading.Thread(target=give)
        thread.start()
        wait_until(lambda: len(given) == 2)  # one is being worked on and one waits
        assert given == [0, 1]
        go_on.set()
        thread.join()
    assert given == [0, 1, 2, 3]


@pytest.mark.parametrize("more", [0, 1000], ids=["on leaving", "by the next call"])
def test_what_work_raises_is_raised_to_the_caller(more: int) -> None:
    def fail(n: int) -> None:
        raise ZeroDivisionError

    def hand_over_all() -> None:
        with pipeline.behind(fail, one, 1) as hand_over:
            for n in range(1 + more):
                hand_over(n)

    with pytest.raises(ZeroDivisionError):
        hand_over_all()


def test_what_is_not_begun_when_the_caller_fails_is_left_out() -> None:
    channel: pipeline._Channel[int] = pipeline._Channel(one, 10)
    taken = channel.taken()
    channel.give(1)
    channel.give(2)
    assert next(taken) == 1
    channel.stop()
    assert list(taken) == []
    assert not channel.give(3)


def test_a_caller_that_fails_is_heard_and_the_thread_has_ended() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), pipeline.behind(lambda n: None, one, 1):
        raise ZeroDivisionError
    assert threading.active_count() == before
