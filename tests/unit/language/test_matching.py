"""Which policies match: the index says what asking each policy about each application would say."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.language.describing import decide, facts_of
from appshield.language.expression_errors import ExpressionError
from appshield.language.expression_values import AppFacts
from appshield.language.expressions import Condition, Values
from appshield.language.matching import Matching
from appshield.language.resolving import resolve
from unit.language.policy_samples import application, facts

EXPRESSIONS = (
    "true",
    "app.type == 'web'",
    "app.type == 'web' && app.criticality == 'gold'",
    "app.labels['tier'] == 'a'",
    "'tier' in app.labels && app.labels.tier == 'a'",
    "app.labels.exists(k, k == 'tier')",
    "app.volumes.size() > 1 / app.labels.size()",
    "app.type in ['web', 'cache'] || app.name == 'a'",
    "app == app && app.namespaceLabels.size() == 0",
)
APPS = st.builds(
    facts,
    name=st.sampled_from("ab"),
    type=st.sampled_from(["web", "cache", "database/x"]),
    criticality=st.sampled_from(["gold", "silver"]),
    labels=st.dictionaries(st.sampled_from(["tier", "x"]), st.sampled_from("ab")),
    namespace_labels=st.dictionaries(st.just("team"), st.sampled_from("ab")),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("app"), st.integers(0, 4), st.one_of(st.none(), APPS)),
        st.tuples(
            st.just("policy"), st.integers(0, 4), st.one_of(st.none(), st.sampled_from(EXPRESSIONS))
        ),
    ),
    max_size=30,
)


@given(STEPS)
def test_after_any_changes_the_index_says_what_asking_each_would_say(
    steps: Sequence[tuple[str, int, Any]],
) -> None:
    index: Matching[int] = Matching()
    apps: dict[int, AppFacts] = {}
    policies: dict[str, str] = {}
    for what, number, value in steps:
        if what == "app" and value is None:
            apps.pop(number, None)
            index.remove_application(number)
        elif what == "app":
            apps[number] = value
            index.put_application(number, value)
        elif value is None:
            policies.pop(f"p{number}", None)
            index.remove_policy(f"p{number}")
        else:
            policies[f"p{number}"] = value
            index.put_policy(f"p{number}", value)
    asked = {
        (name, key): decide(name, match, app)
        for name, match in policies.items()
        for key, app in apps.items()
    }
    for key in apps:
        expected = [name for name in sorted(policies) if asked[name, key].outcome == "matches"]
        assert index.policies_of(key) == tuple(expected)
        undecided = {name for name in policies if asked[name, key].outcome == "undecided"}
        assert set(index.undecided_of(key)) == undecided
    for name in policies:
        matched = {key for key in apps if asked[name, key].outcome == "matches"}
        assert index.applications_of(name) == matched
        assert set(index.undecided_by(name)) == {
            key for key in apps if asked[name, key].outcome == "undecided"
        }


def test_a_policy_is_asked_once_for_all_that_look_the_same_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    holds = Condition.holds

    def counted(condition: Condition, values: Values) -> bool:
        asked.append(condition.text)
        return holds(condition, values)

    monkeypatch.setattr(Condition, "holds", counted)
    index: Matching[int] = Matching()
    for number in range(100):
        index.put_application(number, facts(name=f"app{number}", type=f"type{number % 4}"))
    index.put_policy("all", "app.type == 'type1'")
    assert len(asked) == 4
    index.put_application(1, facts(name="another", type="type1"))
    assert len(asked) == 4
    index.put_application(1, facts(name="another", type="new"))
    assert len(asked) == 5
    assert index.applications_of("all") == set(range(5, 100, 4))


def test_a_wrong_expression_leaves_the_policy_as_it_was() -> None:
    index: Matching[int] = Matching()
    index.put_application(1, facts())
    index.put_policy("p", "app.name == 'shop'")
    with pytest.raises(ExpressionError):
        index.put_policy("p", "app.nam == 'shop'")
    assert index.policies_of(1) == ("p",)


@pytest.mark.parametrize(
    ("match", "outcome", "why"),
    [
        (
            "app.type.startsWith('database/') && app.criticality == 'gold'",
            "matches",
            "app.criticality is 'gold', app.type is 'database/postgresql'",
        ),
        (
            "app.type.startsWith('database/') && app.criticality in ['platinum']",
            "differs",
            "app.criticality in ['platinum'] does not hold: app.criticality is 'gold'",
        ),
        (
            "'x' in app.labels && app.labels.x == ' && '",
            "differs",
            "'x' in app.labels does not hold: app.labels['x'] is not there",
        ),
        (
            "app.name == 'a' || app.name == 'b'",
            "differs",
            "app.name == 'a' || app.name == 'b' does not hold: app.name is 'shop'",
        ),
        (
            "app.labels.x == 'y'",
            "undecided",
            "there is no 'x'. Ask for it first: \"x\" in …, or has(…).",
        ),
        ("true", "matches", "it reads nothing of the application"),
    ],
)
def test_a_decision_says_why(match: str, outcome: str, why: str) -> None:
    decided = decide("p", match, facts())
    assert (decided.outcome, decided.why) == (outcome, why)


def test_what_policies_see_has_every_default_and_no_content_of_tools() -> None:
    document = application(components=[{"name": "db", "workload": {"kind": "Job", "name": "x"}}])
    resolved = resolve(document)
    annotated = type(resolved)(
        **{name: getattr(resolved, name) for name in resolved.__struct_fields__}
        | {"annotations": {"note": "x", "last-applied": "y" * 2000}}
    )
    seen = facts_of(annotated, namespace_labels={"team": "a"})
    assert (seen.type, seen.criticality) == ("application", "silver")
    assert seen.components[0].strategy == "snapshot"
    assert seen.annotations == {"note": "x"}
    assert seen.namespace_labels == {"team": "a"}
