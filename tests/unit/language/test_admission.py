"""The policies about who may write what; the real API server proves them in tests/cluster."""

from appshield.language.admission import (
    READER,
    RESTORED_KINDS,
    SHARED_KINDS,
    admission_objects,
)


def test_every_policy_is_bound_and_denies() -> None:
    """A policy without a binding does nothing."""
    objects = admission_objects()
    policies = [one for one in objects if one["kind"] == "ValidatingAdmissionPolicy"]
    bindings = [one for one in objects if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert [one["spec"]["policyName"] for one in bindings] == [
        one["metadata"]["name"] for one in policies
    ]
    assert all(one["spec"]["validationActions"] == ["Deny"] for one in bindings)
    assert all(one["spec"]["failurePolicy"] == "Fail" for one in policies)


def test_every_refusal_names_the_right_that_is_missing() -> None:
    """And what to do without it."""
    policies = [one for one in admission_objects() if one["kind"] == "ValidatingAdmissionPolicy"]
    about_names = ("requesters.appshield.io", "writers.appshield.io")
    messages = [
        (policy["metadata"]["name"] in about_names, validation["messageExpression"])
        for policy in policies
        for validation in policy["spec"]["validations"]
    ]
    assert len(messages) > len(policies)
    assert all("request.userInfo.username" in message for _, message in messages)
    assert all(("leave them out" if of_names else "ask for") in text for of_names, text in messages)


def test_the_role_gives_what_the_policy_asks_for_and_nothing_more() -> None:
    """Reading, of the shared kinds."""
    (role,) = [one for one in admission_objects() if one["kind"] == "ClusterRole"]
    assert role["metadata"]["name"] == READER
    rules = role["rules"]
    given = {(rule["apiGroups"][0], plural) for rule in rules for plural in rule["resources"]}
    assert given == set(SHARED_KINDS)
    assert all(rule["verbs"] == ["get", "list", "watch"] for rule in rules)
    assert ("", "secrets") in RESTORED_KINDS
