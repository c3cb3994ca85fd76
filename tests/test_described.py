"""Schemas that say what each field means, from the docstrings in the source."""

from __future__ import annotations

from pydantic import BaseModel

from bridge.described import field_docstrings, json_schema


class Plain(BaseModel):
    size: int
    """Bytes.

    Of the whole.
    """
    name: str

    def method(self) -> str:
        """Not of a field."""
        return self.name


class Derived(Plain):
    part: Plain | None = None
    """What it is made of."""
    name: str = "x"
    """As others call it."""


def test_docstrings_of_fields_with_those_of_the_base() -> None:
    assert field_docstrings(Derived) == {
        "size": "Bytes.\n\nOf the whole.",
        "part": "What it is made of.",
        "name": "As others call it.",
    }


def test_every_model_of_a_schema_is_described() -> None:
    schema = json_schema(Derived, "validation")
    assert schema["properties"]["part"]["description"] == "What it is made of."
    assert schema["$defs"]["Plain"]["properties"]["size"]["description"] == "Bytes.\n\nOf the whole."
    assert "description" not in schema["$defs"]["Plain"]["properties"]["name"]
