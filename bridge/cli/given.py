"""The arguments by which ``run`` and ``plan`` are told what to evaluate: a spec file, or a few flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.errors import Problem, SpecError

if TYPE_CHECKING:
    from bridge.spec_file import SpecSource
    from bridge.spec_file.rest import Rest

SpecFile = Annotated[
    Path | None, typer.Argument(metavar="SPEC", help="The spec, a YAML or JSON file.", show_default=False)
]
Backend = Annotated[str | None, typer.Option(help="Use this backend for every dataset, whatever the spec says.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field: limit=20, datasets[0].limit=5. Repeatable."),
]
BaseUrl = Annotated[str | None, typer.Option(metavar="URL", help="Without a spec: the server, up to /v1.")]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="Without a spec: the model's name at that server.")]
Datasets = Annotated[
    list[str] | None, typer.Option(metavar="NAME…", help="Without a spec: datasets, up to the next option.")
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Without a spec: the first N samples of each dataset.")]
ApiKeyEnv = Annotated[
    str | None, typer.Option(metavar="VARIABLE", help="Without a spec: the environment variable with the API key.")
]

Unsafe = Annotated[
    bool, typer.Option("--unsafe", help="Run code that a model writes without a sandbox, where there is none.")
]


def what_else(rest: Rest) -> list[Problem]:
    """More problems of a spec that has some; only then is imported what finds them."""
    from bridge.runs import problems_beside

    return problems_beside(rest)


@dataclass(frozen=True)
class Given:
    spec: Path | None
    overrides: list[str] | None
    backend: str | None
    base_url: str | None
    model: str | None
    datasets: list[str] | None
    limit: int | None
    api_key_env: str | None

    def read(self) -> SpecSource:
        """The spec and where its fields stand. Raises SpecError."""
        from bridge.spec_file import read_spec, spec_from_flags

        overrides = self.overrides or []
        if self.spec is not None:
            self._refuse_flags()
            return read_spec(self.spec, overrides, self.backend, what_else)
        if misplaced := [name for name in self.datasets or [] if name.endswith((".yaml", ".yml", ".json"))]:
            message = f"{misplaced[0]!r} is the name of a file, not of a dataset"
            raise SpecError([Problem("--datasets", "", message, "a spec comes before the options")])
        return spec_from_flags(
            base_url=self.base_url,
            model=self.model,
            datasets=self.datasets or [],
            limit=self.limit,
            api_key_env=self.api_key_env,
            overrides=overrides,
            backend=self.backend,
            what_else=what_else,
        )

    def _refuse_flags(self) -> None:
        instead = {
            "--base-url": (self.base_url, "--set model.endpoint.base_url=…"),
            "--model": (self.model, "--set model.name=…"),
            "--datasets": (self.datasets, "--set datasets=[…]"),
            "--limit": (self.limit, "--set limit=…"),
            "--api-key-env": (self.api_key_env, "--set model.endpoint.api_key_env=…"),
        }
        problems = [
            Problem(flag, "", "is for a run without a spec file", f"with one: {better}")
            for flag, (value, better) in instead.items()
            if value is not None and value != []
        ]
        if problems:
            raise SpecError(problems)
