"""Options of a backend: refused with their place and the nearest name, never dropped."""

from typing import Literal

import pytest

from bridge.adapters.asking.options import Options, option_problems, read_options
from bridge.errors import Unsupported
from bridge.spec import TaskSpec


class Inner(Options):
    temperature: float = 0.5


class Outer(Options):
    style: Literal["react", "tools"] = "react"
    votes: int = 4
    judge: Inner = Inner()


def spec(**options: object) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "model": {"name": "m", "endpoint": {"base_url": "http://x/v1"}},
            "datasets": ["d"],
            "options": {"b": options} if options else {},
        }
    )


def test_options_are_read() -> None:
    assert read_options(spec(), "b", Outer) == Outer()
    assert read_options(spec(style="tools", judge={"temperature": 0}), "b", Outer).judge.temperature == 0


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"stile": "react"}, "options.b.stile", "there is no such option (did you mean 'style'?)"),
        ({"zzz": 1}, "options.b.zzz", "there is no such option (one of: style, votes, judge.temperature)"),
        ({"style": "tool"}, "options.b.style", "is 'tool'; allowed: 'react' or 'tools' (did you mean 'tools'?)"),
        ({"judge": {"temperatur": 1}}, "options.b.judge.temperatur", "(did you mean 'judge.temperature'?)"),
        ({"votes": "many"}, "options.b.votes", "valid integer"),
    ],
)
def test_what_is_wrong_is_told(options: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(Unsupported) as refused:
        read_options(spec(**options), "b", Outer)
    (problem,) = refused.value.problems
    assert problem.field == field
    assert said in str(problem)
    assert option_problems(spec(**options), "b", Outer) == [problem]


def test_all_of_it_is_told() -> None:
    assert len(option_problems(spec(stile=1, votes="x", style="y"), "b", Outer)) == 3
