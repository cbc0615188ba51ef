"""A utility as a small expression of names: "cr + 0.5*cure - 2*gvhd".

Numbers, names, + - * / **, parentheses and the functions exp, log, sqrt, minimum and
maximum; nothing else. Python's parser reads it, and none of it is run as code.
"""

import ast
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.population.refusal import refusal

Value = Float[Array, "..."]
Values = Mapping[str, Value]

FUNCTIONS: Mapping[str, tuple[int, Callable[..., Value]]] = {
    "exp": (1, jnp.exp),
    "log": (1, jnp.log),
    "sqrt": (1, jnp.sqrt),
    "minimum": (2, jnp.minimum),
    "maximum": (2, jnp.maximum),
}
"""How many arguments a function takes, and what it is."""

OPERATORS: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


class Term(NamedTuple):
    """One summand of a utility, with its sign: `text` as it was written."""

    text: str
    node: ast.expr
    sign: float

    @property
    def words(self) -> str:
        """The summand with its sign."""
        return f"{'-' if self.sign < 0 else '+'} {self.text}"


class Utility(NamedTuple):
    """The summands of an expression, and the names that it reads in their order."""

    text: str
    terms: tuple[Term, ...]
    names: tuple[str, ...]

    def value(self, values: Values) -> Value:
        """The utility where every name has its value."""
        return self.weighed(values, (1.0,) * len(self.terms))

    def weighed(self, values: Values, weights: tuple[float, ...]) -> Value:
        """The same with every summand times its weight."""
        parts = (
            weight * term.sign * _value(term.node, values)
            for term, weight in zip(self.terms, weights, strict=True)
        )
        return sum(parts, start=jnp.zeros(()))


def parse_utility(text: str) -> Utility:
    """Raises a refusal that says what is not allowed, and where."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        at = f"at character {error.offset}" if error.offset else "somewhere"
        raise refusal(f"got '{text}', which is no expression ({at})") from None
    for node in ast.walk(tree):
        _refuse(node, text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in called
    ]
    if not names:
        raise refusal(f"got '{text}', which names no estimand: it is worth the same")
    return Utility(text, tuple(_terms(tree, 1.0)), tuple(dict.fromkeys(names)))


def _terms(node: ast.expr, sign: float) -> list[Term]:
    """The summands of sums and differences, however they are nested."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        other = sign if isinstance(node.op, ast.Add) else -sign
        return [*_terms(node.left, sign), *_terms(node.right, other)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _terms(node.operand, -sign)
    return [Term(ast.unparse(node), node, sign)]


_PLAIN = (ast.Load, ast.Name, ast.UAdd, ast.USub, ast.UnaryOp, *OPERATORS)


def _refuse(node: ast.AST, text: str) -> None:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise refusal(f"got {node.value!r} in '{text}': write numbers and names")
    elif isinstance(node, ast.Call):
        _refuse_call(node, text)
    elif isinstance(node, ast.BinOp):
        if type(node.op) not in OPERATORS:
            raise refusal(f"got '{ast.unparse(node)}': write + - * / ** only")
    elif not isinstance(node, _PLAIN):
        part = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
        known = ", ".join(FUNCTIONS)
        raise refusal(
            f"got '{part}' in '{text}': write numbers, names, + - * / ** and {known}"
        )


def _refuse_call(node: ast.Call, text: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    if name not in FUNCTIONS:
        known = ", ".join(FUNCTIONS)
        raise refusal(f"got the function '{name}' in '{text}': write one of {known}")
    wanted, _ = FUNCTIONS[name]
    if len(node.args) != wanted or node.keywords:
        raise refusal(f"got '{ast.unparse(node)}': {name} takes {wanted} argument(s)")


def _value(node: ast.expr, values: Values) -> Value:
    match node:
        case ast.Constant(value=number):
            return jnp.asarray(float(str(number)))
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=op, operand=inner):
            return (
                -_value(inner, values)
                if isinstance(op, ast.USub)
                else _value(inner, values)
            )
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][1](*(_value(arg, values) for arg in args))
    raise AssertionError(ast.dump(node))  # `parse_utility` lets nothing else through
