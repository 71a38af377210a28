"""Exponential back-off."""

from __future__ import annotations

from fixtures.reference.node.backoff import BackOff


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        """Seconds."""

    def __call__(self) -> float:
        """The time that was set."""
        return self.now


def test_each_failure_doubles_the_waiting_time_up_to_the_longest() -> None:
    """10, 20, 40 … 300 seconds, as the kubelet waits between pulls."""
    clock = Clock()
    back_off = BackOff(10, 300, clock)
    waits = []
    for _ in range(7):
        back_off.next("key")
        waits.append(back_off.remaining("key"))
        clock.now += waits[-1]
        assert back_off.remaining("key") == 0
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_keys_do_not_wait_for_each_other() -> None:
    """Another Pod, or another image, has its own back-off."""
    back_off = BackOff(10, 300, Clock())
    back_off.next("one")
    assert back_off.remaining("other") == 0


def test_a_long_quiet_time_is_a_new_beginning() -> None:
    """After twice the longest time without a failure the first waiting time counts again."""
    clock = Clock()
    back_off = BackOff(10, 300, clock)
    back_off.next("key")
    back_off.next("key")
    clock.now += 601
    back_off.next("key")
    assert back_off.remaining("key") == 10


def test_waiting_can_count_from_another_moment() -> None:
    """A container waits from its end, not from the kubelet's decision."""
    clock = Clock()
    back_off = BackOff(10, 300, clock)
    back_off.next("key", since=clock.now - 4)
    assert back_off.remaining("key", since=clock.now - 4) == 6
