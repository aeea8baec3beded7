"""Expressions: what is wrong is found when they are applied, and none can hang whoever asks."""

import contextlib
import resource
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.language.expression_errors import ExpressionError, UndecidedError
from appshield.language.expression_values import (
    LEVELS_MAX,
    EventFacts,
    LastBackupFacts,
    RpoFacts,
    RtoFacts,
    payload_of,
)
from appshield.language.expressions import (
    CHANGE,
    HEALTH,
    MATCH,
    REACTION,
    SIGNAL,
    Environment,
    Values,
)
from unit.language.policy_samples import GIB, facts

HUGE = "ab" * 131_072
ATTRIBUTES = (
    "write one of name, namespace, namespaceLabels, type, criticality, labels, annotations, "
    "components, volumes"
)
CHANGED = {"text": HUGE, "list": ["ab" * 32] * 1000}


@pytest.mark.parametrize(
    "text",
    [
        "app.type.startsWith('database/') && app.criticality in ['gold', 'platinum']",
        "app.labels.tier == 'backend' && app.labels['tier'] != 'frontend'",
        "app.namespaceLabels.team == 'sales' && app.namespace == 'shop'",
        "app.components.exists(c, c.workloadKind == 'StatefulSet')",
        f"app.volumes.exists(v, v.storageClass == 'fast' && v.sizeBytes >= {20 * GIB})",
        "!('missing' in app.labels) || app.labels['missing'] == 'x'",
        "app.type.matches('^database/[a-z]+$')",
        "app.namespace + '/' + app.name == 'shop/shop'",
    ],
)
def test_an_expression_reads_what_is_known_about_an_application(text: str) -> None:
    assert MATCH.condition(text).holds(MATCH.values(app=facts()))


def test_a_reaction_reads_health_ages_times_and_promises() -> None:
    values = REACTION.values(
        health="Degraded",
        rpo=RpoFacts(age=timedelta(hours=3), promise=timedelta(hours=1), state="broken"),
        rto=RtoFacts(
            last=timedelta(minutes=20),
            expected=timedelta(minutes=40),
            promise=timedelta(minutes=30),
            state="at-risk",
        ),
        lastBackup=LastBackupFacts(
            version=3, at=datetime(2026, 11, 29, tzinfo=UTC), age=timedelta(hours=3)
        ),
        app=facts(),
    )
    text = "health == 'Degraded' && rpo.age > rpo.promise && rpo.age > duration('2h')"
    assert REACTION.condition(text + " && lastBackup.version == 3").holds(values)
    late = "rpo.state == 'broken' && rto.state == 'at-risk' && rto.expected > rto.promise"
    assert REACTION.condition(late + " && rto.last < rto.promise").holds(values)


def signal(content: bytes, event: EventFacts | None = None) -> Values:
    return SIGNAL.values(payload=payload_of(content), event=event or EventFacts(), app=facts())


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("payload.rows > 0 && payload.app == app.name", b'{"rows": 3, "app": "shop"}'),
        ("payload.steps.exists(step, step.name == 'load')", b'{"steps": [{"name": "load"}]}'),
        ("payload.rows == 1.5", b'{"rows": 1.5}'),
        ("payload.rows > 9.0e18", b'{"rows": 18446744073709551616}'),
        ("payload.rows < -9.0e18", b'{"rows": -' + b"9" * 400 + b"}"),
        ("payload == [1, true, null, 'x']", b'[1, true, null, "x"]'),
        ("payload == 'done'", b'"done"'),
        ("payload.startsWith('done')", b"done: 3 rows"),
        ("payload == null", b""),
        ("payload == null", b"\xff\xfe"),
        ("payload == null", b"null"),
        ("has(payload.rows) && !has(payload.error)", b'{"rows": 0}'),
    ],
)
def test_a_signal_is_judged_by_its_content(text: str, content: bytes) -> None:
    assert SIGNAL.condition(text).holds(signal(content))


def test_a_signal_is_judged_by_what_its_cloud_event_says() -> None:
    text = "event.type == 'com.acme.imported' && event.subject == app.namespace + '/' + app.name"
    event = EventFacts(id="1", source="/importer", type="com.acme.imported", subject="shop/shop")
    assert SIGNAL.condition(text).holds(signal(b"{}", event))
    assert not SIGNAL.condition(text).holds(signal(b"{}"))


def test_a_payload_that_is_nested_too_deep_is_refused() -> None:
    fits, too_deep = (b"[" * level + b"]" * level for level in (LEVELS_MAX, LEVELS_MAX + 1))
    assert SIGNAL.condition("payload.size() == 1").holds(signal(fits))
    for content in (too_deep, b"[" * 500_000 + b"]" * 500_000):
        with pytest.raises(UndecidedError, match=f"nested more than {LEVELS_MAX} deep"):
            signal(content)
    nested: object = "x"
    for _ in range(10_000):
        nested = {"a": nested}
    with pytest.raises(UndecidedError, match="nested"):
        CHANGE.values(old=None, new=nested)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_content_is_judged_or_has_no_answer(content: bytes) -> None:
    with contextlib.suppress(UndecidedError):
        assert SIGNAL.condition("payload.a == 1 || payload == 'x'").holds(signal(content)) in (
            True,
            False,
        )


def test_an_object_that_is_new_or_gone_was_or_is_null() -> None:
    condition = CHANGE.condition("old == null || new == null || old.spec != new.spec")
    spec = {"spec": {"replicas": 1}}
    assert condition.holds(CHANGE.values(old=None, new=spec))
    assert condition.holds(CHANGE.values(old=spec, new=None))
    assert not condition.holds(CHANGE.values(old=spec, new=spec))


def test_health_of_a_kind_is_judged_by_the_object() -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    text = "object.status.conditions.exists(one, one.type == 'Ready' && one.status == 'True')"
    assert HEALTH.condition(text).holds(HEALTH.values(object=ready))
    with pytest.raises(UndecidedError, match="status"):
        HEALTH.condition(text).holds(HEALTH.values(object={}))


@pytest.mark.parametrize(
    ("environment", "text", "wrong", "right"),
    [
        (MATCH, "app.typ == 'web'", "column 4: app has no attribute 'typ'", "did you mean type?"),
        (
            MATCH,
            "app.volumes.exists(v, v.size > 1)",
            "column 24: volume has no attribute 'size'",
            "did you mean sizeBytes?",
        ),
        (MATCH, "apps.type == 'web'", "column 5: 'apps' is not known here", "did you mean app?"),
        (
            MATCH,
            "app.type.startWith('a')",
            "column 19: 'startWith' is not known here",
            "did you mean startsWith?",
        ),
        (
            MATCH,
            "app.type == 3",
            "column 10: == does not take string and int",
            "use values of types that fit, texts in quotes",
        ),
        (
            MATCH,
            "app.type == 'a' &&\n app.x == 'b'",
            "line 2, column 5: app has no attribute 'x'",
            ATTRIBUTES,
        ),
        (MATCH, "app.type == 'a' and true", "column 17: mismatched input 'and'", "write &&"),
        (
            MATCH,
            "app.type ==",
            "column 12: the expression ends too early",
            "write for example app.type == 'web'",
        ),
        (MATCH, "app.type", "gives string, not true or false", "compare it with something"),
        (
            MATCH,
            "app.type.matches('(a')",
            "'(a' is no regular expression (missing ): (a)",
            "use the syntax of RE2",
        ),
        (
            REACTION,
            "rpo.age > duration('26')",
            "duration of '26' has no answer",
            "write a number with its unit, such as duration('26h') or duration('1h30m')",
        ),
        (
            REACTION,
            "lastBackup.at < timestamp('2026')",
            "timestamp of '2026' has no answer",
            "write a time such as timestamp('2026-01-31T08:00:00Z')",
        ),
        (
            MATCH,
            "app.volumes.size() > int('x')",
            "int of 'x' has no answer",
            "write a whole number",
        ),
        (
            MATCH,
            "app.type.matches(app.name)",
            "matches a pattern that is computed",
            "write the pattern as a text in quotes",
        ),
        (
            MATCH,
            "app.type.matches('(a{90}){90}')",
            "'(a{90}){90}' is too large with its repetitions written out",
            "repeat less, or use * and +",
        ),
        (
            MATCH,
            "app.labels.exists(k, k + 'x' == 'y')",
            "joins texts or lists in a loop",
            "compare the parts, each for itself",
        ),
        (
            REACTION,
            "rpo.age > 3",
            "column 9: > does not take duration and int",
            "use values of types that fit, texts in quotes",
        ),
        (
            SIGNAL,
            "event.typ == 'x'",
            "column 6: event has no attribute 'typ'",
            "did you mean type?",
        ),
        (
            SIGNAL,
            "paylod.a == 1",
            "column 7: 'paylod' is not known here",
            "did you mean payload?",
        ),
        (CHANGE, "app.type == 'a'", "column 4: 'app' is not known here", "did you mean map?"),
        (CHANGE, "old.a", "gives dyn, not true or false", "compare it with something"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_would_be_right(
    environment: Environment, text: str, wrong: str, right: str
) -> None:
    (problem,) = environment.problems(text)
    assert (problem.wrong, problem.right) == (wrong, right)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / (app.volumes.size() - 1) == 1", "divide by zero"),
        ("app.labels['nothing'] == 'x'", "there is no 'nothing'"),
        ("app.labels.nothing == 'x'", "there is no 'nothing'"),
        ("app.volumes[7].claim == 'x'", "Index error"),
        ("int(app.name) == 1", "cannot convert"),
        ("duration(app.name) == duration('1s')", "Duration"),
    ],
)
def test_an_expression_without_an_answer_says_why(text: str, why: str) -> None:
    with pytest.raises(UndecidedError, match=why):
        MATCH.condition(text).holds(MATCH.values(app=facts()))


HOSTILE = [
    "(" * 2000 + "true" + ")" * 2000,
    "[" * 300 + "]" * 300 + " == []",
    "!" * 4095 + "true",
    "-" * 4000 + "1 == 1",
    "old" + ".a" * 2000 + " == 1",
    "old" + "[0]" * 1300 + " == 1",
    "true" + " && true" * 500,
    "old.text" + " + old.text" * 300 + " == ''",
    " && ".join(["old.text != new.text"] * 190),
    "old.list.all(x, (old.text + old.text + x).size() > 0)",
    "old.list.map(x, old.text).size() > 0",
    "old.list.all(x, old.list.all(y, old.list.all(z, x == y)))",
    "old.list.map(x, old.list.map(y, [x, y])) == []",
    "old.list.all(x, old == new)",
    "old.list.all(x, !old.text.matches('[ab]*a[ab]{12}c'))",
    "!old.text.matches('([ab]?){500}[ab]{500}c')",
    " && ".join(["!old.text.matches('(([ab]?){6}){6}[ab]{6}c')"] * 80),
    "old.text.contains(new.text)",
    "old.list.all(x, old.text.contains(x))",
    f"[{','.join(['1'] * 1500)}].all(x, [{'1,' * 200}1].all(y, x == y))",
    "9" * 4000 + " == 1",
    "'" + "\\" * 2000,
    "old.a.b.c.d == null",
    "'\\U0010ffff' == old.text",
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_expression_is_refused_or_answers_in_bounds(text: str) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(ExpressionError, UndecidedError):
        CHANGE.condition(text).holds(CHANGE.values(old=CHANGED, new=CHANGED))
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after_kib - before_kib < 256 * 1024


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", [one.replace("old", "payload").replace("new", "payload") for one in HOSTILE]
)
def test_a_hostile_expression_about_a_signal_is_in_bounds_too(text: str) -> None:
    content = b'{"text": "%s", "list": [%s]}' % (HUGE.encode(), b",".join([b'"ab"'] * 100_000))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(ExpressionError, UndecidedError):
        SIGNAL.condition(text).holds(signal(content))
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after_kib - before_kib < 256 * 1024


@given(st.text(max_size=200))
def test_any_text_is_accepted_or_refused_in_our_words(text: str) -> None:
    for problem in MATCH.problems(text):
        assert problem.wrong
        assert problem.right


VOCABULARY = (
    "app old [ ] ( ) { } . , ? : && || ! == in 'a' 1 1.5 -1 type labels volumes exists all map "
    "matches size has v == < + - * / % true null"
)
WORDS = st.sampled_from(VOCABULARY.split())


@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_words_of_the_language_are_accepted_or_refused_in_our_words(text: str) -> None:
    with contextlib.suppress(ExpressionError, UndecidedError):
        assert MATCH.condition(text).holds(MATCH.values(app=facts())) in (True, False)
