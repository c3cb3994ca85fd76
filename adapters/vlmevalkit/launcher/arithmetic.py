"""What stands in for ``eval`` inside VLMEvalKit: it reads literals and sums, and runs no code.

VLMEvalKit evaluates cells of a TSV (index, answer, image, choices, …) and answers of models; both are foreign text.
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any

_LARGEST_EXPONENT = 10_000
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def evaluate(source: Any, *_namespaces: Any) -> Any:
    """The value of a literal or of an arithmetic expression of numbers; a name is that of a caller's number.

    Raises what ``eval`` raises where it cannot read the text (SyntaxError, NameError, TypeError, ZeroDivisionError),
    and ValueError for everything that would run code.
    """
    return _evaluated(source, sys._getframe(1).f_locals)


def number(source: str) -> float | None:
    """The value of a number or of a sum of numbers; None where the text is anything else."""
    try:
        value = _evaluated(source, {})
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except (SyntaxError, NameError, TypeError, ValueError, ArithmeticError):
        return None


def _evaluated(source: Any, names: Mapping[str, Any]) -> Any:
    if not isinstance(source, str):
        raise TypeError("evaluate() takes text")
    try:
        tree = ast.parse(source.strip(" \t"), mode="eval")
    except (RecursionError, MemoryError) as error:
        raise SyntaxError("too deeply nested") from error
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError):
        return _value(tree.body, source, names)


def _value(node: ast.AST, source: str, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() | complex() as number):
            return number
        case ast.Name(id=name):
            if _is_number(names.get(name)):
                return names[name]
            raise NameError(f"name {name!r} is not defined")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _combined(op, _value(left, source, names), _value(right, source, names))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, source, names))
    raise ValueError(f"{source[:60]!r} is neither a literal nor a sum, and is not evaluated")


def _is_number(value: Any) -> bool:
    """VLMEvalKit's comparison of formulas evaluates their text where ``a`` and ``b`` are the formulas."""
    return isinstance(value, int | float | complex) or type(value).__module__.startswith("sympy.")


def _combined(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(op, ast.Pow) and (abs(right) > _LARGEST_EXPONENT or abs(left) > _LARGEST_EXPONENT):
        raise ValueError("the power is too large")
    return _BINARY[type(op)](left, right)
