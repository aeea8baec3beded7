"""How policies come together: each rule of `combining` as documents and what they mean."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.language.combining import combine
from appshield.language.describing import decide, facts_of
from appshield.language.effective import EffectiveProtection, PolicyMatch
from appshield.language.kinds import Application, Policy
from appshield.language.reading import read_documents
from appshield.language.resolving import resolve, resolve_policy
from language_documents import as_data
from unit.language.policy_samples import application, nightly, policy

DOCUMENTS = Path(__file__).parent / "documents"


def effective(document: Application, *policies: Policy, differs: str = "") -> EffectiveProtection:
    return combine(
        document,
        [
            (
                resolve_policy(one),
                PolicyMatch(
                    policy=one.metadata.name,
                    outcome="differs" if one.metadata.name == differs else "matches",
                    why="",
                ),
            )
            for one in policies
        ],
    )


def rules(found: EffectiveProtection) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.policy, one.rule.name, one.rule.targets) for one in found.rules]


def findings(found: EffectiveProtection) -> list[str]:
    return [f"{one.kind}: {one.text}" for one in found.findings]


def test_documents_make_the_protection_that_is_written_beside_them() -> None:
    """Each policy with why it matches or not, each part with its origin, all that gives way."""
    documents = [one.resource for one in read_documents(_text("protected.yaml"), "protected.yaml")]
    (document,) = [one for one in documents if isinstance(one, Application)]
    policies = [resolve_policy(one) for one in documents if isinstance(one, Policy)]
    seen = facts_of(resolve(document), namespace_labels={"team": "sales"})
    found = combine(document, [(one, decide(one.name, one.match, seen)) for one in policies])
    assert as_data(found) == json.loads(_text("protected.effective.json"))


def _text(name: str) -> str:
    return (DOCUMENTS / name).read_text()


def test_all_rules_of_the_application_and_of_what_matches_are_in_force() -> None:
    found = effective(
        application(protect=[nightly(name="mine")]),
        policy("b", protect=[nightly()]),
        policy("a", protect=[nightly(name="hourly")]),
        policy("c", protect=[nightly(name="other")]),
        differs="c",
    )
    assert rules(found) == [
        ("", "mine", ("primary",)),
        ("a", "a/hourly", ("primary",)),
        ("b", "b/nightly", ("primary",)),
    ]
    assert [one.policy for one in found.policies] == ["a", "b", "c"]
    assert findings(found) == []


def test_a_rule_of_the_application_stands_in_for_a_policys_of_that_name() -> None:
    found = effective(
        application(protect=[nightly(last=3)]),
        policy("a", protect=[nightly(), nightly(name="weekly")]),
        policy("b", protect=[nightly(last=9)]),
    )
    assert [name for _, name, _ in rules(found)] == ["nightly", "a/weekly"]
    assert found.rules[0].rule.keep is not None
    assert found.rules[0].rule.keep.last == 3
    assert findings(found) == [
        "overridden: the application's own rule nightly stands in for that of a and b"
    ]


def test_the_same_rule_of_several_policies_is_in_force_once() -> None:
    found = effective(
        application(), policy("b", protect=[nightly()]), policy("a", protect=[nightly()])
    )
    assert [name for _, name, _ in rules(found)] == ["a/nightly"]
    assert findings(found) == [
        "same: a and b state the same rule nightly; it is in force once, as a's"
    ]


def test_different_rules_of_one_name_are_all_in_force_and_told_as_a_conflict() -> None:
    found = effective(
        application(),
        policy("a", protect=[nightly()]),
        policy("b", protect=[nightly(last=30)]),
        policy("c", protect=[nightly()]),
    )
    assert [name for _, name, _ in rules(found)] == ["a/nightly", "b/nightly"]
    assert findings(found) == [
        "same: a and c state the same rule nightly; it is in force once, as a's",
        "conflict: a and b call different rules nightly; all of them are in force",
    ]


@pytest.mark.parametrize(
    ("own", "of_rule", "expected", "origins"),
    [
        ([], [], ("x", "y"), ("p", "q")),
        (["mine"], [], ("mine",), ()),
        ([], ["z"], ("x", "y"), ("p", "q")),
    ],
)
def test_targets_are_the_rules_then_the_policys_then_the_applications(
    own: list[str], of_rule: list[str], expected: tuple[str, ...], origins: tuple[str, ...]
) -> None:
    written: dict[str, Any] = {"targets": own} if own else {}
    named: dict[str, Any] = {"targets": of_rule} if of_rule else {}
    found = effective(
        application(protect=[nightly(name="mine")], **written),
        policy("p", protect=[nightly(**named)], targets=["x"]),
        policy("q", protect=[nightly(name="other")], targets=["x", "y"]),
        policy("r", protect=[nightly(name="third")]),
    )
    assert (found.targets, found.targets_from) == (expected, origins)
    assert rules(found) == [
        ("", "mine", expected),
        ("p", "p/nightly", tuple(of_rule) or ("x",)),
        ("q", "q/other", ("x", "y")),
        ("r", "r/third", expected),
    ]
    told = "targets: p and q name different targets; all of them are used"
    assert findings(found) == ([] if own else [told])


def test_without_any_target_the_default_is_used() -> None:
    assert effective(application()).targets == ("primary",)


def test_the_strictest_alert_is_in_force_and_the_others_are_told() -> None:
    react = {"when": "health == 'Degraded'", "do": {"backup": {}}}
    found = effective(
        application(),
        policy("a", alerts={"rpo": "4h", "rto": "20m"}, react=[react]),
        policy("b", alerts={"rpo": "90m", "rto": "30m"}, react=[react, react | {"for": "5m"}]),
    )
    assert [(one.about, one.policy, one.promised_s) for one in found.alerts] == [
        ("rpo", "b", 5400),
        ("rto", "a", 1200),
    ]
    assert [(one.policy, one.reaction.lasts_s) for one in found.reactions] == [("a", 0), ("b", 300)]
    assert findings(found) == [
        "same: a and b state the same reaction; it is in force once, as a's",
        "looser: the alert of b about RPO after 1h30m is stricter than of a",
        "looser: the alert of a about RTO after 20m is stricter than of b",
    ]


def test_every_different_verification_is_in_force() -> None:
    weekly = {"schedule": "0 5 * * 0"}
    found = effective(
        application(),
        policy("a", verify=weekly),
        policy("b", verify=weekly),
        policy("c", verify={"schedule": "@daily"}),
    )
    assert [one.policy for one in found.verifications] == ["a", "c"]


SPECS = st.builds(
    lambda rules, targets, alert: (
        {"protect": [nightly(name=name, last=last) for name, last in rules.items()]}
        | ({"targets": targets} if targets else {})
        | ({"alerts": {"rpo": alert, "rto": "30m"}} if alert else {})
        | {"verify": {"schedule": "@daily"}}
    ),
    st.dictionaries(st.sampled_from(["nightly", "hourly"]), st.integers(1, 3)),
    st.lists(st.sampled_from(["x", "y"]), unique=True),
    st.sampled_from(["", "1h", "2h"]),
)


@given(st.lists(SPECS, max_size=5), st.randoms(use_true_random=False))
def test_the_order_in_which_policies_come_does_not_matter(specs: list[Any], random: Any) -> None:
    policies = [policy(f"p{number}", **spec) for number, spec in enumerate(specs)]
    shuffled = list(policies)
    random.shuffle(shuffled)
    document = application(protect=[nightly()])
    assert effective(document, *policies) == effective(document, *shuffled)


@given(st.lists(SPECS, max_size=5))
def test_no_rule_is_dropped_without_being_told(specs: list[Any]) -> None:
    policies = [policy(f"p{number}", **spec) for number, spec in enumerate(specs)]
    found = effective(application(protect=[nightly()]), *policies)
    in_force = {one.rule.name for one in found.rules}
    told = {
        (name, one.about.removeprefix("rule ")) for one in found.findings for name in one.policies
    }
    for one in policies:
        for rule in one.spec.protect:
            name = one.metadata.name
            assert f"{name}/{rule.name}" in in_force or (name, rule.name) in told
