"""What stands in for ``eval`` inside VLMEvalKit: it reads literals and sums, and runs no code.

VLMEvalKit evaluates cells of a TSV (index, answer, image, choices, …) and answers of models; both are foreign text.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
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
    """The value of a literal or of an arithmetic expression of numbers.

    Raises what ``eval`` raises where it cannot read the text (SyntaxError, NameError, TypeError, ZeroDivisionError),
    and ValueError for everything that would run code.
    """
    if not isinstance(source, str):
        raise TypeError("evaluate() takes text")
    try:
        tree = ast.parse(source.strip(" \t"), mode="eval")
    except (RecursionError, MemoryError) as error:
        raise SyntaxError("too deeply nested") from error
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError):
        return _value(tree.body, source)


def _value(node: ast.AST, source: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() | complex() as number):
            return number
        case ast.Name(id=name):
            raise NameError(f"name {name!r} is not defined")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _combined(op, _value(left, source), _value(right, source))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, source))
    raise ValueError(f"{source[:60]!r} is neither a literal nor a sum, and is not evaluated")


def _combined(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(op, ast.Pow) and (abs(right) > _LARGEST_EXPONENT or abs(left) > _LARGEST_EXPONENT):
        raise ValueError("the power is too large")
    return _BINARY[type(op)](left, right)
