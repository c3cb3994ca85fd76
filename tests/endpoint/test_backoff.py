from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from bridge.endpoint.backoff import FIRST_S, GROWTH, LONGEST_RETRY_AFTER_S, LONGEST_S, retry_after_s, wait_s


@pytest.mark.parametrize("tries", range(1, 12))
def test_the_wait_grows_and_is_spread_over_its_whole_range(tries: int) -> None:
    longest = min(LONGEST_S, FIRST_S * GROWTH ** (tries - 1))
    waits = [wait_s(tries, None) for _ in range(400)]
    assert 0 <= min(waits) < longest * 0.1
    assert longest * 0.9 < max(waits) <= longest


def test_a_server_that_restarts_is_waited_for() -> None:
    """Six retries are the default: their longest waits, of which half is to be expected, are those of a restart."""
    assert sum(min(LONGEST_S, FIRST_S * GROWTH**at) for at in range(6)) > 30


def test_many_tries_do_not_overflow() -> None:
    assert wait_s(10_000, None) <= LONGEST_S


def test_the_server_is_not_asked_before_it_wants_to_be() -> None:
    waits = [wait_s(1, "7") for _ in range(50)]
    assert min(waits) >= 7 and max(waits) <= 8
    assert len(set(waits)) > 1


def test_a_date_is_a_wait_too() -> None:
    assert 8 < retry_after_s(formatdate(time.time() + 10, usegmt=True)) <= 10


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("-5", 0),
        ("soon", 0),
        ("nan", 0),
        ("1.5", 1.5),
        ("inf", LONGEST_RETRY_AFTER_S),
        ("86400", LONGEST_RETRY_AFTER_S),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_S),
    ],
)
def test_headers(header: str | None, seconds: float) -> None:
    assert retry_after_s(header) == seconds
