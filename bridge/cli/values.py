"""``--datasets gsm8k arc mmlu``: an option with several values, which the parser knows only as a repeated option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

SPREAD = ("--datasets",)


def spread_values(arguments: Sequence[str]) -> list[str]:
    """``--datasets a b,c`` → ``--datasets a --datasets b --datasets c``; values go on to the next option."""
    return list(_spread(arguments))


def _spread(arguments: Sequence[str]) -> Iterator[str]:
    option = ""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if argument == "--":
            yield from arguments[at:]
            return
        if name in SPREAD:
            option = name
            yield from _each(option, value) if equals else ()
            if not equals and _is_last(arguments, at):
                yield argument  # without a value: the parser says so
        elif argument.startswith("-"):
            option = ""
            yield argument
        elif option:
            yield from _each(option, argument)
        else:
            yield argument


def _each(option: str, values: str) -> Iterator[str]:
    for value in values.split(","):
        yield from (option, value)


def _is_last(arguments: Sequence[str], at: int) -> bool:
    return at + 1 == len(arguments) or arguments[at + 1].startswith("-")
