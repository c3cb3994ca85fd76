"""``bridge backends``"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.columns import columns
from bridge.cli.ending import ended

if TYPE_CHECKING:
    from bridge.backend import Backend, Feature

SIGNS = {"full": "yes", "partial": "partly", "not yet": "not yet", "never": "no"}


@ended
def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with every note.")] = False,
) -> None:
    """List the backends: version, whether the environment is built, and what of a spec each can honour."""
    from bridge.registry import backend, backend_names

    backends = [backend(name) for name in backend_names()]
    if as_json:
        print(json.dumps([_as_json(one) for one in backends], indent=2, ensure_ascii=False))
        return
    rows = [(one.name, _version(one), _environment(one), f"{len(one.datasets()):,}") for one in backends]
    print("\n".join(columns(("BACKEND", "VERSION", "ENVIRONMENT", "DATASETS"), rows)))
    print()
    print("\n".join(_features(backends)))


def _features(backends: list[Backend]) -> Iterator[str]:
    """Feature by feature, what each backend does with it, and what there is to say about that."""
    from bridge.backend import Feature

    rows = [(feature.value, *(_sign(one, feature) for one in backends)) for feature in Feature]
    yield from columns(("SUPPORTS", *(one.name for one in backends)), rows)
    notes = [(one.name, feature, gap.note) for one in backends for feature, gap in one.support.items() if gap.note]
    yield from ["", *(f"{name}, {feature.value}: {note}" for name, feature, note in notes)] if notes else []


def _sign(one: Backend, feature: Feature) -> str:
    gap = one.support.get(feature)
    return SIGNS[gap.level.value] if gap else SIGNS["not yet"]


def _version(one: Backend) -> str:
    from importlib.metadata import version

    return one.env.version or version("evalbridge")


def _environment(one: Backend) -> str:
    from bridge.envs import installed

    if one.env.lock is None:
        return "bridge's own"
    return "built" if installed(one.env) else "not built yet"


def _as_json(one: Backend) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": _version(one),
        "environment": _environment(one),
        "datasets": len(one.datasets()),
        "support": {
            feature.value: {"level": gap.level.value, "note": gap.note} for feature, gap in one.support.items()
        },
    }
