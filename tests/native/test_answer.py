from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.native.answer import without_thinking


@pytest.mark.parametrize(
    ("response", "answer", "thinking"),
    [
        ("ANSWER: B", "ANSWER: B", ""),
        ("<think>A? No.</think>\n\nANSWER: B", "ANSWER: B", "A? No."),
        ("  <THINKING>A?</THINKING> B", "B", "A?"),
        ("A? No.</think>ANSWER: B", "ANSWER: B", "A? No."),
        ("<think>A? I am not", "", "<think>A? I am not"),
        ("<think></think>B", "B", ""),
        ("Write <think>x</think> around it.", "Write <think>x</think> around it.", ""),
        ("<think>first</think>B, not <think>second</think>", "B, not <think>second</think>", "first"),
        ("", "", ""),
    ],
)
def test_thinking_is_cut_off_the_front(response: str, answer: str, thinking: str) -> None:
    parted = without_thinking(response)
    assert (parted.answer, parted.thinking) == (answer, thinking)


plain = st.text(st.characters(exclude_characters="<>"))


@given(thinking=plain, answer=plain)
def test_a_closed_block_never_reaches_the_answer(thinking: str, answer: str) -> None:
    assert without_thinking(f"<think>{thinking}</think>{answer}").answer == answer.strip()


@given(plain)
def test_an_answer_without_tags_is_left_as_it_is(answer: str) -> None:
    assert without_thinking(answer).answer == answer
