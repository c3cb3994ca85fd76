"""Servers that are odd, broken or gone: what is counted, what is a good request, what stays out of the latencies."""

from __future__ import annotations

from typing import Any

import pytest
from stream_mock import Odd, streaming

from bridge.native.perf.check import run
from bridge.native.perf.columns import Columns, columns
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Point
from bridge.native.perf.watch import Watch
from bridge.perf_spec import PerfBlock

N = 24


def measured(odd: Odd, users: int = 4, **perf: Any) -> tuple[Columns, list[Record], Watch]:
    block = {
        "load": [{"closed": [users]}],
        "prompts": {"input_tokens": 16},
        "output": {"max_tokens": 8},
        "stop": {"requests": N},
        "warmup": {"requests": 0},
        **perf,
    }
    if isinstance(block["prompts"].get("input_tokens"), int):
        block["prompts"]["input_tokens"] = {"mean": block["prompts"]["input_tokens"]}
    with streaming(odd) as server:
        records, watch = run(server.url, Point("closed", users), PerfBlock.model_validate(block))
    return columns(records), records, watch


def test_a_good_server_is_measured_as_it_is() -> None:
    odd = Odd()
    with streaming(odd) as server:
        block = PerfBlock.model_validate(
            {"load": [{"closed": [4]}], "stop": {"requests": N}, "warmup": {"requests": 0}, "output": {"max_tokens": 8}}
        )
        records, _ = run(server.url, Point("closed", 4), block)
        true = server.truth()
    found = columns(records)
    assert true["requests"] == len(found) == N
    assert found.good.all()
    assert (found.events == 8).all()
    assert (found.tokens == 8).all()
    assert true["ttft"] is not None
    # Server and client share a process here, so one may wait for the other between its clock and its call.
    assert -1e-3 < float(found.ttft.mean()) - true["ttft"]["mean"] < 0.02  # type: ignore[index]


def test_http_errors_are_counted_by_status_and_never_tried_again() -> None:
    odd = Odd(fail_every=3)
    found, records, _ = measured(odd)
    assert found.errors == {"http_429": 4, "http_500": 4}
    assert found.messages["http_500"] == "overloaded"
    assert found.retry_after == 4
    assert len(odd.asked) == N
    assert found.good.sum() == 16
    assert all(record.first is None for record in records if not record.good)


@pytest.mark.parametrize(
    ("odd", "kind", "message"),
    [
        (Odd(cut_every=2), "cut", "closed by the server, after 4 events"),
        (Odd(in_band_every=2), "in_band", "engine died"),
        (Odd(no_finish=True), "no_finish", "the stream ended without a finish_reason"),
        (Odd(empty=True), "empty", "the answer holds no text"),
    ],
)
def test_half_an_answer_is_none(odd: Odd, kind: str, message: str) -> None:
    found, _, _ = measured(odd)
    assert found.errors == {kind: N if not (odd.cut_every or odd.in_band_every) else N // 2}
    assert found.messages[kind] == message


def test_a_stall_is_given_up() -> None:
    found, records, _ = measured(Odd(stall_every=6), stall="300ms")
    assert found.errors == {"stall": 4}
    assert all(0.2 < r.ended - r.begun < 20 for r in records if r.error == "stall")


def test_no_done_is_noted_and_no_failure() -> None:
    found, _, _ = measured(Odd(no_done=True))
    assert found.good.all()
    assert found.not_done == N


def test_without_usage_there_are_no_tokens() -> None:
    found, _, _ = measured(Odd(usage="never"))
    assert found.good.all()
    assert all(tokens != tokens for tokens in found.tokens)  # NaN


def test_usage_in_every_event_is_not_added_up() -> None:
    found, records, _ = measured(Odd(usage="each", per_event=2))
    assert (found.tokens == 8).all()
    assert {record.first_tokens for record in records} == {2}
    assert (found.events == 4).all()


def test_an_early_role_is_no_token() -> None:
    found, _, _ = measured(Odd(early_role=True, ttft=0.05))
    assert (found.ttft > 0.045).all()
    assert (found.events == 8).all()


@pytest.mark.parametrize("reasoning", [3, 8])
def test_reasoning_counts_for_the_first_token_not_for_the_first_output(reasoning: int) -> None:
    found, _, _ = measured(Odd(reasoning=reasoning, gap=0.004))
    assert (found.ttft < found.first - found.begun + 1e-9).all()
    later = found.first_output - found.first
    if reasoning == 8:
        assert all(value != value for value in later)
    else:
        # A busy machine may let several events wait, and be read at once.
        assert (later >= 0).all()
        assert later.max() > 0.002


@pytest.mark.parametrize(
    "odd",
    [Odd(line_end=b"\r\n"), Odd(noise=True), Odd(line_end=b"\r\n", noise=True), Odd(split=True)],
    ids=["crlf", "comments", "both", "split"],
)
def test_however_events_are_written_and_cut(odd: Odd) -> None:
    found, _, _ = measured(odd)
    assert found.good.all()
    assert (found.events == 8).all()


def test_two_events_in_one_packet_of_the_servers_do_not_make_the_client_slow() -> None:
    found, _, watch = measured(Odd(joined=True, gap=0.01))
    assert (found.events == 8).all()
    assert (found.gaps == 0).sum() == 4 * N
    # Most were looked at in time; on a busy machine the client was late for some.
    in_time = sum(n for power, n in watch.shared.items() if 2**power < 10_000)
    assert in_time > sum(watch.shared.values()) / 2


def test_a_connection_closed_between_requests_gets_one_fresh_try() -> None:
    odd = Odd(close_after=True)
    found, _, _ = measured(odd)
    assert found.good.all()
    assert len(odd.asked) == N


def test_a_request_that_meets_a_closed_connection_gets_one_fresh_try() -> None:
    odd = Odd(hang_up_every=5)
    found, records, _ = measured(odd, users=1)
    assert found.good.all()
    assert found.fresh_tries == len(odd.asked) - N == 5
    assert all(record.connect_s > 0 for record in records if record.fresh_try)
    hopeless, _, _ = measured(Odd(hang_up_every=1), users=1, stop={"requests": 6})
    assert hopeless.errors == {"cut": 6}


def test_a_server_that_dies_ends_the_load() -> None:
    found, _, _ = measured(Odd(die_after=13))
    assert found.good.sum() == 12
    assert set(found.errors) <= {"cut", "connect"}


def test_exact_lengths_are_asked_for_and_short_answers_counted() -> None:
    odd = Odd(tokens=5)
    found, _, _ = measured(odd, output={"max_tokens": 8, "exact": True})
    assert found.errors == {"short": N}
    assert all(body["ignore_eos"] and body["min_tokens"] == 8 for body in odd.asked)
    found, _, _ = measured(Odd(tokens=0), output={"max_tokens": 8, "exact": True})
    assert found.good.all()


def test_conversations_say_again_what_was_said() -> None:
    odd = Odd()
    found, records, _ = measured(odd, users=2, prompts={"turns": 3, "input_tokens": {"mean": 16}})
    assert found.good.all()
    longest = max(odd.asked, key=lambda body: len(body["messages"]))
    assert [m["role"] for m in longest["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert longest["messages"][1]["content"] == "tok " * 8
    assert sorted({record.turn for record in records}) == [0, 1, 2]


def test_a_shared_prefix_is_shared_and_the_rest_is_not() -> None:
    odd = Odd()
    measured(odd, prompts={"shared_prefix": 40, "input_tokens": {"mean": 60}})
    texts = [body["messages"][0]["content"].split() for body in odd.asked]
    assert len({tuple(text[:40]) for text in texts}) == 1
    assert len({text[40] for text in texts}) == N


def test_images_go_with_every_prompt_and_upload_is_told_apart() -> None:
    odd = Odd()
    found, _, _ = measured(odd, prompts={"images": {"count": 2, "size": "64x64"}, "input_tokens": {"mean": 16}})
    kinds = [part["type"] for part in odd.asked[0]["messages"][0]["content"]]
    assert kinds == ["text", "image_url", "image_url"]
    assert found.good.all()
    assert (found.sent >= found.begun).all()


def test_eight_megabytes_of_image_and_long_prompts_go_through() -> None:
    odd = Odd()
    found, _, _ = measured(
        odd,
        users=2,
        stop={"requests": 4},
        prompts={"images": {"count": 1, "size": "1400x1400"}, "input_tokens": {"mean": 100_000}},
    )
    assert found.good.all()
    assert len(str(odd.asked[0])) > 7_500_000
    assert found.sent.max() - found.begun.min() > 0


def test_nothing_good_is_no_zero() -> None:
    from bridge.native.perf import metrics

    found, _, _ = measured(Odd(fail_every=1))
    assert found.errors.keys() == {"http_500", "http_429"}
    assert metrics.latencies(found.ttft)["mean"].value is None
    assert metrics.latencies(found.ttft)["mean"].reason == "no good request has this"
    assert metrics.gaps(found.gaps, found.gap_owner)["p50"].value is None


def test_too_many_errors_end_a_load() -> None:
    odd = Odd(fail_every=1)
    found, _, _ = measured(odd, stop={"requests": 500, "errors": 0.2})
    assert 20 <= len(found) <= 30


def test_a_tokenizer_counts_where_the_server_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.native.perf.prompts.load_tokenizer", lambda folder: Words())
    prompts = {"tokenizer": "somewhere", "input_tokens": {"mean": 16}}
    found, records, _ = measured(Odd(usage="never", reasoning=3), prompts=prompts)
    assert (found.tokens == 8).all()
    assert all(record.counted_here for record in records)
    found, records, _ = measured(Odd(), prompts=prompts)
    assert not any(record.counted_here for record in records)


class Words:
    """A tokenizer whose tokens are words."""

    ids: list[str]

    def encode(self, text: str, **_: bool) -> Words:
        self.ids = text.split()
        return self
