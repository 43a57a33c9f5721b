"""API4: no regular expression that sees what others sent takes ever longer the more ways there are to match.

Those of the contract are matched by Rust's regex, which goes over a text once, whatever the expression (and are read by
clients' engines, which do not). Those of our own are matched by Python's `re`, which goes back. Neither is timed here:
what an expression can do at worst is decided from the expression.
"""

import ast
import re
from pathlib import Path

import jsonschema_rs
import pytest

import handlers
import sendmeter
from sendmeter.contract import contract
from sendmeter.schemas import Validator
from tests.proof.attack.ambiguity import automaton_of, is_exponential, is_polynomial

FUNCTIONS = ("compile", "fullmatch", "match", "search", "sub", "split", "findall", "finditer")
# Read by operators' own input alone, or by nothing but the contract's own text.
OURS_ALONE = ("cli", "contract", "settings.py")


def patterns_of_contract():
    """Return each pattern of the contract once, with where it stands."""
    found, ahead = {}, [("#", contract().document)]
    while ahead:
        where, part = ahead.pop()
        items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for name, each in items:
            if name == "pattern" and isinstance(each, str):
                found.setdefault(each, where)
            ahead.append((f"{where}/{name}", each))
    return found


def text_of(node):
    """Return the text of a string, with a letter for each part that is put in."""
    if isinstance(node, ast.Constant):
        return node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value).replace("{{", "{").replace("}}", "}") if isinstance(part, ast.Constant) else "54"
            for part in node.values
        )
    return None


def patterns_of_code():
    """Return each expression of our own code, with where it stands."""
    for package in (sendmeter, handlers):
        folder = Path(package.__file__).parent
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func
                if called and called.attr in FUNCTIONS and getattr(called.value, "id", "") == "re":
                    where = f"{path.relative_to(folder.parent)}:{node.lineno}"
                    yield pytest.param(path.relative_to(folder).parts[0], text_of(node.args[0]), id=where)


CODE = list(patterns_of_code())


@pytest.mark.parametrize(
    ("pattern", "exponential", "polynomial"),
    [
        ("(a+)+", True, True), ("(a|a)*", True, True), ("(a|ab|b)*c", True, True), ("(a*)*b", True, True),
        ("([a-z]+[0-9]*)+", True, True), ("(x+x+)+y", True, True), ("(a?){50}a{50}", True, True),
        ("a*a*", False, True), (".*,.*", False, True), ("a{1,128}a{1,128}", False, True),
        ("[^,]*,[^;]*;", False, False), ("a+b+", False, False), ("(ab?)*", False, False),
        ("(-[0-9a-f]{4}){3}-[0-9a-f]{12}", False, False), ("[a-z][a-z0-9]{0,63}", False, False),
        ("a?a?a?", False, False),
    ],
)  # fmt: skip
def test_a_catastrophic_expression_is_recognized(pattern, exponential, polynomial):
    """The judge is judged first: by the examples of textbooks, and by harmless ones."""
    made = automaton_of(pattern)
    assert (is_exponential(made), is_exponential(made) or is_polynomial(made)) == (exponential, polynomial)


@pytest.mark.parametrize("pattern", patterns_of_contract(), ids=patterns_of_contract().values())
def test_no_pattern_of_the_contract_can_match_in_ever_more_ways(pattern):
    made = automaton_of(pattern)
    assert not is_exponential(made)
    assert not is_polynomial(made)


def test_the_expressions_of_our_own_are_found():
    assert len(CODE) >= 25
    assert all(isinstance(each.values[1], str) or each.values[0] in OURS_ALONE for each in CODE), CODE


@pytest.mark.parametrize(("place", "pattern"), [each for each in CODE if each.values[0] not in OURS_ALONE])
def test_no_expression_of_our_own_can_match_in_ever_more_ways(place, pattern):
    made = automaton_of(pattern)
    assert not is_exponential(made), place
    assert not is_polynomial(made), place


def test_no_expression_of_a_path_can_match_in_ever_more_ways():
    for operation in contract().operations.values():
        made = automaton_of(contract()._pattern(operation.path).pattern)
        assert [is_exponential(made), is_polynomial(made)] == [False, False], operation.path


@pytest.mark.parametrize("pattern", ["(?=a)a", "(a)\\1", "(?<!a)b", "(?>a+)b"])
def test_a_pattern_that_requires_backtracking_is_refused(pattern):
    """So nobody can write one into the contract: the server does not start, and `contract lint` says it."""
    with pytest.raises((ValueError, jsonschema_rs.ValidationError)):
        Validator({"type": "string", "pattern": pattern})


@pytest.mark.parametrize("pattern", patterns_of_contract(), ids=patterns_of_contract().values())
def test_a_pattern_reads_a_mebibyte_in_one_pass(pattern):
    """Whatever repeats in it, for a mebibyte, and then what cannot follow: refused, and before the test is tired."""
    validator = Validator({"type": "string", "pattern": pattern})
    for letter in sorted(set(re.sub(r"\\.", "", pattern)) | set("aA0-_.~/:")):
        assert not validator.accepts(letter * 1_048_575 + "\x00")
