"""mutmut, with what it lacks: `python -m tests.mutants.kinds run`, in a folder that `ground.py` laid.

It drops no statement and turns no condition that is a mere name; both are tried here. Texts for people, which are those
with a space in them, are left alone, with what is logged; other texts are changed once, not three times.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from mutmut import __main__ as mutmut
from mutmut.configuration import config
from mutmut.mutation import mutators
from mutmut.mutation.data import MutantLineSpans
from mutmut.mutation.file_mutation import FailedTypeCheckMutant, MutatedMethodLocation
from mutmut.type_checking import run_type_checker
from mutmut.utils.file_utils import change_cwd
from mutmut.utils.format_utils import get_mutant_name

PLAIN = m.Name() | m.Attribute() | m.Call() | m.NamedExpr() | m.Subscript()


def for_people(node: cst.CSTNode) -> bool:
    """Return whether it is a text with a space in it, also one of several parts."""
    texts = m.findall(node, m.SimpleString() | m.FormattedStringText())
    if not m.matches(node, m.SimpleString() | m.FormattedString() | m.ConcatenatedString()):
        return False
    return any(" " in text.value for text in texts if isinstance(text, cst.SimpleString | cst.FormattedStringText))


def a_text(node: cst.BaseString) -> Iterable[cst.BaseString]:
    if not for_people(node):
        yield from islice(mutators.operator_string(node), 1)


def an_argument(node: cst.Call) -> Iterable[cst.Call]:
    """Return None for an argument, or leave it out, unless it is for people."""
    if m.matches(node.func, m.Attribute(m.Name("logger"))):
        return
    for mutant in mutators.operator_arg_removal(node):
        kept = {id(argument) for argument in mutant.args}
        (gone,) = [argument for argument in node.args if id(argument) not in kept]
        if not for_people(gone.value) and not m.matches(gone, m.Arg(keyword=m.Name("fix"))):
            yield mutant


def a_value(node: cst.Assign | cst.AnnAssign) -> Iterable[cst.CSTNode]:
    if node.value is None or not for_people(node.value):
        yield from mutators.operator_assignment(node)


def a_statement(node: cst.Expr) -> Iterable[cst.CSTNode]:
    """Do not do what is called for its effect: not an audit entry, not an addition to a counter."""
    if isinstance(node.value, cst.Call) and not m.matches(node.value.func, m.Attribute(m.Name("logger"))):
        yield cst.Pass(semicolon=node.semicolon)


def a_refusal(node: cst.Raise) -> Iterable[cst.CSTNode]:
    """Refuse nothing."""
    if node.exc is not None:
        yield cst.Pass(semicolon=node.semicolon)


def a_condition(node: cst.If) -> Iterable[cst.CSTNode]:
    """Turn a condition that has no operator which could be."""
    if m.matches(node.test, PLAIN):
        test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), test))


INSTEAD = {
    mutators.operator_string: a_text,
    mutators.operator_arg_removal: an_argument,
    mutators.operator_assignment: a_value,
}
mutators.mutation_operators[:] = [
    *((kind, INSTEAD.get(operator, operator)) for kind, operator in mutators.mutation_operators),
    (cst.Expr, a_statement),
    (cst.Raise, a_refusal),
    (cst.If, a_condition),
]


def wrong_in_types() -> dict[str, FailedTypeCheckMutant]:
    """Find mutants that mypy refuses. mutmut does the same, but parses for minutes what it knows the lines of."""
    with change_cwd("mutants"):
        errors = run_type_checker(config().type_check_command)
    found = {}
    lines: dict[Path, list[tuple[int, int, str]]] = {}
    for error in errors:
        path = error.file_path.relative_to(Path("mutants").absolute())
        if path not in lines:
            spans = MutantLineSpans.load(path)
            known = spans.span_by_function_name.items() if spans else ()
            lines[path] = sorted((span.start, span.end, name) for name, span in known)
        index = bisect_right(lines[path], (error.line_number, float("inf"))) - 1
        start, end, function = lines[path][index]
        if index < 0 or error.line_number > end or function.endswith("_orig"):
            raise SystemExit(f"Types are wrong without a mutant: {path}:{error.line_number} {error.error_description}")
        name = get_mutant_name(path, function)
        place = MutatedMethodLocation(path, function, start, end)
        found[name] = FailedTypeCheckMutant(place, name, error)
    return found


mutmut.filter_mutants_with_type_checker = wrong_in_types

if __name__ == "__main__":
    mutmut.cli()
