"""What a person reads keeps to the style in CONTRIBUTING.md: no docstring and no page has a phrase of the old one."""

import ast
import re

import pytest

from tests.live import ROOT

SOURCES = sorted([*(ROOT / "sendmeter").rglob("*.py"), *(ROOT / "handlers").glob("*.py")])
# Pages are added here as they are rewritten.
PAGES = ["README.md", "SECURITY.md", "docs/guides/sender.md"]
FIRST_WORDS = {"Give", "Gives", "Tell", "Tells", "Let"}
PHRASES = re.compile(
    r"\b(whoever|nobody|anew|be it|is told|are told|told so|tells of|is said to|what became of|so many|amiss|mended"
    r"|wants? (an?|the) (scope|key|header)|are laid|where there is none)\b",
    re.IGNORECASE,
)


def docstrings(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
            yield node.name, text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_docstring_begins_with_what_the_function_does_or_returns(path):
    assert [name for name, text in docstrings(path) if text.split()[0] in FIRST_WORDS] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_phrase_of_the_old_style(page):
    text = (ROOT / page).read_text()
    assert [match[0] for match in PHRASES.finditer(text)] == []
