"""What a spec says about requests."""

from __future__ import annotations

from bridge.spec import GenerationSpec


def test_fields_of_a_request() -> None:
    assert GenerationSpec().request_fields(7) == {"temperature": 0.0, "max_tokens": 7}
    full = GenerationSpec(
        temperature=0.5, max_tokens=9, top_p=0.9, top_k=4, seed=3, stop=("a",), extra_body={"min_p": 0.1}
    )
    assert full.request_fields(7) == {
        "temperature": 0.5,
        "max_tokens": 9,
        "top_p": 0.9,
        "top_k": 4,
        "seed": 3,
        "stop": ["a"],
        "min_p": 0.1,
    }
    limited = GenerationSpec(extra_body={"max_completion_tokens": 5})
    assert limited.request_fields(7) == {"temperature": 0.0, "max_completion_tokens": 5}
