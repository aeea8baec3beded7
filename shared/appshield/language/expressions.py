"""Conditions in CEL: checked when a document is applied, evaluated within bounds.

    condition = MATCH.condition("app.type == 'web'")       ExpressionError: all that is wrong
    condition.holds(MATCH.values(app=facts))               UndecidedError: no answer for these

No expression can hang or exhaust whoever evaluates it. The library bounds nesting (32 levels) and
the steps of all loops together (10,000); regular expressions take linear time. What it leaves open
is work on long texts, so that is bounded here: some things are refused when the expression is
applied (joining texts in a loop, computed or heavy patterns, loops in loops in loops), and how much
of its values it would look at is compared with a budget before it is evaluated.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec
from cel_expr_python import cel

from appshield.language import expression_errors as errors
from appshield.language.expression_constants import is_never_true
from appshield.language.expression_errors import ExpressionError, ExpressionProblem, UndecidedError
from appshield.language.expression_tree import Read, Shape, pattern_weight, reads, shape, tree
from appshield.language.expression_types import PACKAGE, MessageTypes
from appshield.language.expression_values import (
    AppFacts,
    EventFacts,
    Facts,
    LastBackupFacts,
    RpoFacts,
    RtoFacts,
    plain,
)
from appshield.language.shape import is_clean

LENGTH_MAX: Final = 4096
LOOPS_MAX: Final = 2
TEXTS_BUILT_MAX: Final = 8
LIBRARY_STEPS_MAX: Final = 10_000
WORK_MAX_BYTES: Final = 32 * 1024 * 1024
"""What all calls may look at in one evaluation: half a second of the slowest of them."""
PATTERN_WEIGHT_MAX: Final = 2000
_SEARCH_BYTES: Final = 64
"""What is compared at once when one text is looked for in another."""
_ENTRY_BYTES: Final = 16

_CONVERTED: Final = {
    "duration": "a number with its unit, such as duration('26h') or duration('1h30m')",
    "timestamp": "a time such as timestamp('2026-01-31T08:00:00Z')",
    "int": "a whole number",
    "uint": "a whole number that is not negative",
    "double": "a number",
    "bool": "true or false",
}

Variable: TypeAlias = type[object]
"""`Facts` and texts are checked by their type; `object` is any value that JSON can say."""


class Extent(msgspec.Struct, frozen=True):
    """How large values are: all of their content, and the longest list or mapping in them."""

    size_bytes: int
    length: int


class Values:
    """What the variables stand for in some evaluations."""

    def __init__(self, activation: cel.Activation, values: Mapping[str, object]) -> None:
        self.activation = activation
        self._values = values

    @functools.cached_property
    def extent(self) -> Extent:
        """How large the values are."""
        return _extent(msgspec.to_builtins(self._values))


class Environment:
    """The variables that the expressions of one field may name."""

    def __init__(self, **variables: Variable) -> None:
        self._variables = variables
        self._facts = tuple(one for one in variables.values() if issubclass(one, Facts))

    @functools.cached_property
    def _types(self) -> MessageTypes:
        return MessageTypes(self._facts)

    @functools.cached_property
    def _env(self) -> cel.Env:
        named = {name: _cel_type(one) for name, one in self._variables.items()}
        return cel.NewEnv(self._types.pool, variables=named)

    def values(self, **values: object) -> Values:
        """Give every variable its value.

        Raises:
            UndecidedError: a value is nested too deep.
        """
        given = {
            name: value if isinstance(value, Facts) else plain(value)
            for name, value in values.items()
        }
        data = {
            name: self._types.message(value) if isinstance(value, Facts) else value
            for name, value in given.items()
        }
        return Values(self._env.Activation(data), given)

    def condition(self, text: str) -> "Condition":
        """Compile an expression.

        Raises:
            ExpressionError: it does not parse, does not fit the variables, is no yes or no, or
                could be too much work.
        """
        if len(text) > LENGTH_MAX:
            wrong = f"has {len(text)} characters"
            raise ExpressionError(
                text, [ExpressionProblem(wrong, f"use at most {LENGTH_MAX} characters")]
            )
        if not is_clean(text):
            wrong = "holds a NUL or half of a character"
            raise ExpressionError(text, [ExpressionProblem(wrong, "remove it")])
        try:
            compiled = self._env.compile(text)
        except RuntimeError as error:  # the library has no errors of its own
            problems = errors.reported(str(error), list(self._variables), self._types.attributes)
            raise ExpressionError(text, list(problems)) from error
        if compiled.return_type() != cel.Type.BOOL:
            gives = errors.readable(compiled.return_type().name().lower())
            wrong = f"gives {gives}, not true or false"
            raise ExpressionError(text, [ExpressionProblem(wrong, "compare it with something")])
        root = tree(compiled.serialize())
        found = shape(root)
        if too_much := list(self._too_much(found)):
            raise ExpressionError(text, too_much)
        return Condition(text, compiled, found, reads(root), never=is_never_true(root))

    def problems(self, text: str) -> tuple[ExpressionProblem, ...]:
        """Return all that is wrong with an expression."""
        try:
            self.condition(text)
        except ExpressionError as error:
            return error.problems
        return ()

    def _too_much(self, found: Shape) -> Iterator[ExpressionProblem]:
        if found.loops > LOOPS_MAX:
            wrong = f"has {found.loops} loops within each other"
            yield ExpressionProblem(wrong, f"use at most {LOOPS_MAX}")
        if found.texts_built_in_loops:
            yield ExpressionProblem(
                "joins texts or lists in a loop", "compare the parts, each for itself"
            )
        if found.texts_built > TEXTS_BUILT_MAX:
            wrong = f"joins texts or lists {found.texts_built} times"
            yield ExpressionProblem(wrong, f"do so at most {TEXTS_BUILT_MAX} times")
        for pattern in found.patterns:
            yield from self._wrong_pattern(pattern)
        for function, text in dict.fromkeys(found.conversions):
            yield from self._wrong_text(function, text)

    def _wrong_pattern(self, pattern: str | None) -> Iterator[ExpressionProblem]:
        if pattern is None:
            yield ExpressionProblem(
                "matches a pattern that is computed", "write the pattern as a text in quotes"
            )
            return
        if pattern_weight(pattern) > PATTERN_WEIGHT_MAX:
            wrong = f"{pattern[:40]!r} is too large with its repetitions written out"
            yield ExpressionProblem(wrong, "repeat less, or use * and +")
            return
        tried = self._env.compile(f"''.matches({msgspec.json.encode(pattern).decode()})").eval()
        if tried.type() == cel.Type.ERROR:
            why = str(tried.value()).partition("regular expression: ")[2]
            yield ExpressionProblem(
                f"{pattern[:40]!r} is no regular expression ({why})", "use the syntax of RE2"
            )

    def _wrong_text(self, function: str, text: str) -> Iterator[ExpressionProblem]:
        tried = self._env.compile(f"{function}({msgspec.json.encode(text).decode()})").eval()
        if tried.type() == cel.Type.ERROR:
            yield ExpressionProblem(
                f"{function} of {text[:40]!r} has no answer", f"write {_CONVERTED[function]}"
            )


class Condition:
    """A compiled expression that says yes or no."""

    def __init__(
        self,
        text: str,
        compiled: cel.Expression,
        found: Shape,
        read: frozenset[Read],
        *,
        never: bool,
    ) -> None:
        self.text = text
        self._never = never
        self.reads = read
        self.compared = found.compared
        self._compiled = compiled
        self._shape = found
        self._calls_max = found.calls + LIBRARY_STEPS_MAX * found.calls_in_loops
        self._searches = found.searches + found.searches_in_loops

    def is_never_true(self, example: Values) -> bool:
        """Say whether it is plainly false whatever it is about; of any `example`, if it reads none.

        Of others that are never true most are not recognised.
        """
        if self._never or self.reads:
            return self._never
        try:
            return not self.holds(example)
        except UndecidedError:
            return True

    def holds(self, values: Values) -> bool:
        """Say whether the expression is true.

        Raises:
            UndecidedError: it has no answer, or would be too much work.
        """
        if self._may_be_too_much(values.extent):
            raise UndecidedError(
                "the expression would look at too much",
                why=f"its values have {values.extent.size_bytes} bytes",
                next_step="Use fewer loops, or compare less in them.",
            )
        try:
            result = self._compiled.eval(values.activation)
        except RuntimeError as error:  # the library has no errors of its own
            raise _undecided(str(error)) from error
        answer = result.value()
        if answer is True or answer is False:
            return bool(answer)
        raise _undecided(str(answer))

    def _may_be_too_much(self, extent: Extent) -> bool:
        # Most values are small: then there is nothing to work out.
        if not self._searches and self._calls_max * extent.size_bytes <= WORK_MAX_BYTES:
            return False
        return _work(self._shape, extent) > WORK_MAX_BYTES


def _undecided(report: str) -> UndecidedError:
    what = report.partition(": ")[2] or report
    missing = what.rpartition("Key not found in map : ")[2] if "Key not found" in what else ""
    if missing:
        return UndecidedError(
            f"there is no {missing.strip(chr(34))!r}",
            next_step=f"Ask for it first: {missing} in …, or has(…).",
        )
    return UndecidedError(errors.readable(what)[:200].removesuffix(" [INTERNAL]"))


def _work(found: Shape, extent: Extent) -> int:
    """Return the most bytes that all calls together may look at."""
    calls, searches = found.calls, found.searches
    if found.loops:
        length = max(extent.length, found.length) * (1 + found.texts_built)
        steps = min(length**found.loops, LIBRARY_STEPS_MAX)
        calls += steps * found.calls_in_loops
        searches += steps * found.searches_in_loops
    return extent.size_bytes * (calls + searches * extent.size_bytes // _SEARCH_BYTES)


def _extent(values: object) -> Extent:
    size = length = 0
    waiting = [values]
    while waiting:
        one = waiting.pop()
        size += len(one) if isinstance(one, str) else _ENTRY_BYTES
        if isinstance(one, dict):
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        if isinstance(one, dict | list | tuple):
            length = max(length, len(one))
    return Extent(size, length)


def _cel_type(variable: Variable) -> cel.Type:
    if issubclass(variable, Facts):
        return cel.Type(f"{PACKAGE}.{variable.__name__}")
    return cel.Type.STRING if issubclass(variable, str) else cel.Type.DYN


MATCH: Final = Environment(app=AppFacts)
"""`match` of a policy."""
CHANGE: Final = Environment(old=object, new=object)
"""`when` of a change: the object before and after it, null where there is none."""
SIGNAL: Final = Environment(payload=object, event=EventFacts, app=AppFacts)
"""`when` of a signal: its content as `payload_of` gives it, and what its CloudEvent says."""
HEALTH: Final = Environment(object=object)
"""What is said about the health of a kind of object: the object as the API server has it."""
REACTION: Final = Environment(
    health=str, rpo=RpoFacts, rto=RtoFacts, lastBackup=LastBackupFacts, app=AppFacts
)
"""`when` of a reaction."""
