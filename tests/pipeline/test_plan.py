from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_backend import FakeBackend

import bridge.registry
from bridge.errors import SpecError
from bridge.plan import make_plan, shares
from bridge.spec import TaskSpec


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two backends of one make; the second knows one dataset more."""

    class Second(FakeBackend):
        name = "second"

        def datasets(self) -> dict:
            return {
                **super().datasets(),
                "maps": bridge.backend.DatasetInfo("maps", "second", unusable="needs a globe"),
            }

    made = {"fake": FakeBackend(), "second": Second()}
    monkeypatch.setattr(bridge.plan, "backend_names", lambda: tuple(made))
    monkeypatch.setattr(bridge.plan, "backend", made.__getitem__)
    yield


def spec(**fields: object) -> TaskSpec:
    model = {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    return TaskSpec.model_validate({"model": model, "datasets": ["sums"], **fields})


def problems(**fields: object) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        make_plan(spec(**fields))
    return {problem.field: f"{problem.message} ({problem.hint})" for problem in caught.value.problems}


def test_auto_takes_the_first_backend_that_knows_the_dataset() -> None:
    plan = make_plan(spec(datasets=["sums", {"name": "words", "backend": "second"}]))
    assert [(p.backend.name, [d.id for d in p.task.datasets]) for p in plan.tasks] == [
        ("fake", ["sums"]),
        ("second", ["words"]),
    ]


def test_the_name_itself_may_give_the_backend() -> None:
    assert make_plan(spec(datasets=["second:sums"])).tasks[0].backend.name == "second"


def test_every_model_gets_every_dataset() -> None:
    two = [{"name": n, "endpoint": {"base_url": "http://127.0.0.1:9/v1"}} for n in ("a", "b")]
    plan = make_plan(spec(model=None, models=two))
    assert [p.task.model.name for p in plan.tasks] == ["a", "b"]


def test_all_problems_at_once_each_with_its_place() -> None:
    found = problems(
        datasets=["sumz", {"name": "sums", "backend": "fale"}, "maps", "words", "words"],
        options={"secnod": {}},
    )
    assert "did you mean 'sums'" in found["datasets[0].name"]
    assert "did you mean 'fake'" in found["datasets[1].backend"]
    assert "needs a globe" in found["datasets[2].name"]
    assert "alias" in found["datasets[4]"]
    assert "did you mean 'second'" in found["options.secnod"]


def test_a_field_that_is_not_honoured_is_refused() -> None:
    found = problems(generation={"seed": 1})
    assert found == {"generation.seed": "fake cannot support this (it has no dice)"}


def test_one_dataset_twice_is_fine_through_two_backends_or_under_an_alias() -> None:
    twice = [{"name": "sums", "backend": "fake"}, {"name": "sums", "backend": "second"}, {"name": "sums", "alias": "x"}]
    assert len(make_plan(spec(datasets=twice)).tasks) == 2


@pytest.mark.parametrize(
    ("limit", "tasks", "expected"), [(32, 2, [16, 16]), (5, 2, [3, 2]), (1, 3, [1, 1, 1]), (4, 0, [])]
)
def test_the_limit_is_shared_out(limit: int, tasks: int, expected: list[int]) -> None:
    assert shares(limit, tasks) == expected


def test_a_name_that_says_more_than_a_dataset_does_leads_to_it() -> None:
    assert "did you mean 'maps'?" in problems(datasets=["maps_of_the_northern_hemisphere"])["datasets[0].name"]
