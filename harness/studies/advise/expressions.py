"""What an expression in a settings file comes to, as far as that is known without running anything.

The file is somebody's code: neither its size nor the values that it would compute are ours to bear.
"""

from __future__ import annotations

import ast
import operator
import os
from collections.abc import Callable, Mapping
from typing import Any

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
_CALLS: Mapping[str, Callable[..., Any]] = {
    "int": int,
    "str": str,
    "min": min,
    "max": max,
    "bool": bool,
    "float": float,
}
_ENVIRONMENT = ("os.getenv", "os.environ.get", "environ.get", "getenv")
MOST = 2**63
MOST_CHARACTERS = 10_000


def evaluate(node: ast.AST, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of any type
    """The value of an expression in which ``names`` are known.

    Raises:
        ValueError: it is not known, or larger than any setting.
    """
    try:
        return _bound(_evaluate(node, names))
    except (ArithmeticError, TypeError, RecursionError) as problem:
        raise ValueError(str(problem)) from problem


def _bound(value: Any) -> Any:  # noqa: ANN401 - likewise
    if isinstance(value, int) and abs(value) > MOST:
        raise ValueError("it is larger than any setting")
    if isinstance(value, str | bytes | list) and len(value) > MOST_CHARACTERS:
        raise ValueError("it is longer than any setting")
    return value


def _evaluate(node: ast.AST, names: Mapping[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - likewise; one a kind of node
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_evaluate(one, names) for one in node.elts]
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _bound(_evaluate(node.left, names)), _bound(_evaluate(node.right, names))
        if isinstance(left, type(right)) and isinstance(left, int | str | float):
            return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.JoinedStr):
        parts = [_evaluate(one.value if isinstance(one, ast.FormattedValue) else one, names) for one in node.values]
        return _bound("".join(map(str, parts)))
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return next((value for one in node.values if (value := _evaluate(one, names))), None)
    if isinstance(node, ast.Call):
        return _call(node, names)
    raise ValueError(f"it is a {type(node).__name__}")


def _call(node: ast.Call, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - likewise
    called = ast.unparse(node.func)
    if called.rpartition(".")[2] == "cpu_count":
        return os.cpu_count() or 1
    arguments = [_bound(_evaluate(one, names)) for one in node.args]
    if called in _ENVIRONMENT and arguments:
        return os.environ.get(str(arguments[0]), arguments[1] if len(arguments) > 1 else None)
    if called in _CALLS and arguments:
        return _CALLS[called](*arguments)
    raise ValueError(called)
