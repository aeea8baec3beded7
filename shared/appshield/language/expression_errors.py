"""What is wrong with an expression, in our words: from the library's report to problems.

The library names a place as line and column within the text; a problem keeps that, as the field's
place in its document is added by whoever knows it.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from appshield.errors import InvalidInputError, RefusedError
from appshield.language.shape import suggestion

_REPORTED = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n|$)")
_UNDEFINED = re.compile(r"undefined field '(.*)' not found in struct '.*?(\w+)'")
_UNDECLARED = re.compile(r"undeclared reference to '(.*?)'")
_OVERLOAD = re.compile(r"found no matching overload for '(.*?)' applied to '\((.*)\)'")
_OPERATOR = re.compile(r"_?([^_@]+)_?")
_OPERATORS = {"and": "&&", "or": "||", "not": "!", "=": "=="}
FUNCTIONS = (
    "all",
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "getDayOfWeek",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "int",
    "map",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
)
"""What CEL offers, for suggestions."""
EXAMPLE = "write for example app.type == 'web'"
NESTING_MAX = 32
"""Levels at which the library's parser stops."""


class ExpressionProblem(msgspec.Struct, frozen=True):
    """One thing that is wrong with an expression, and what would be right."""

    wrong: str
    right: str


class ExpressionError(InvalidInputError):
    """An expression cannot be accepted; `problems` says everything that is wrong."""

    def __init__(self, text: str, problems: Sequence[ExpressionProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"the expression {text[:80]!r} cannot be accepted",
            why="; ".join(problem.wrong for problem in problems),
            next_step=self.problems[0].right,
        )


class UndecidedError(RefusedError):
    """An expression has no answer for these values, such as where a key is missing."""


def reported(
    report: str, variables: Sequence[str], attributes: Callable[[str], list[str]]
) -> Iterator[ExpressionProblem]:
    """Yield a problem for each error in the library's report."""
    found = False
    for line, column, what in _REPORTED.findall(report):
        found = True
        place = f"line {line}, column {column}" if line != "1" else f"column {column}"
        if int(column) < 0:
            yield _nested()
        else:
            yield _problem(what, place, variables, attributes)
        if what.startswith("Syntax error"):
            return  # what follows is only misread
    if not found:
        yield (
            _nested()
            if "recursion" in report
            else ExpressionProblem("is no expression in CEL", EXAMPLE)
        )


def _nested() -> ExpressionProblem:
    return ExpressionProblem(
        f"is nested more than {NESTING_MAX} deep", "write it flat, or in several policies"
    )


def _problem(
    what: str, place: str, variables: Sequence[str], attributes: Callable[[str], list[str]]
) -> ExpressionProblem:
    if undefined := _UNDEFINED.fullmatch(what):
        name, owner = undefined.groups()
        right = suggestion(name, attributes(owner))
        return ExpressionProblem(f"{place}: {readable(owner)} has no attribute {name!r}", right)
    if undeclared := _UNDECLARED.match(what):
        name = undeclared.group(1).partition(".")[0]
        return ExpressionProblem(
            f"{place}: {name[:60]!r} is not known here", _near(name, variables)
        )
    if overload := _OVERLOAD.match(what):
        function, types = overload.groups()
        operator = _OPERATOR.fullmatch(function)
        named = operator.group(1) if operator else function
        wrong = f"{place}: {named} does not take {readable(types.replace(', ', ' and '))}"
        return ExpressionProblem(wrong, "use values of types that fit, texts in quotes")
    if what.startswith("Syntax error"):
        wrong, right = _syntax(what)
        return ExpressionProblem(f"{place}: {wrong}", right)
    return ExpressionProblem(f"{place}: {readable(what)[:200]}", "see the reference of CEL")


def _near(name: str, variables: Sequence[str]) -> str:
    for known in (variables, FUNCTIONS):
        right = suggestion(name, list(known))
        if right.startswith("did you mean"):
            return right
    return f"write CEL over {', '.join(variables)}"


def _syntax(what: str) -> tuple[str, str]:
    said = what.removeprefix("Syntax error: ").partition(" expecting ")[0]
    if "'<EOF>'" in said:
        return "the expression ends too early", EXAMPLE
    word = re.search(r"'(and|or|not|=)\s*'?$", said)
    return said[:100], f"write {_OPERATORS[word.group(1)]}" if word else EXAMPLE


def readable(text: str) -> str:
    """Return a text of the library with our names for our types."""
    text = re.sub(r"(?:appshield\.)?(\w+)Facts", lambda found: found.group(1).lower(), text)
    text = re.sub(r"google\.protobuf\.(\w+)", lambda found: found.group(1).lower(), text)
    return text.replace("lastbackup", "lastBackup")
