"""What is legal and probably not meant is a warning, at the field that a person has to look at."""

from datetime import UTC, datetime

import pytest

from appshield.language.advising import NOBODY_KNOWS, Took, advise
from appshield.language.reading import read_documents

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOOK = "{command: [sync]}"
CUSTOM = "workload: {kind: Cluster, name: db}"


def _warned(kind: str, spec: str, *, took: Took = NOBODY_KNOWS) -> list[str]:
    text = f"apiVersion: appshield.io/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n"
    (document,) = read_documents(text, "a.yaml")
    found = advise(document.resource, NOW, took=took)
    return [str(problem) for problem in found]


def _rule(on: str, keep: str = "") -> str:
    kept = f", keep: {keep}" if keep else ""
    return f"{{protect: [{{name: a, on: {on}{kept}}}]}}"


def _component(rest: str) -> str:
    workload = "workload: {kind: StatefulSet, name: db}"
    return f"{{components: [{{name: db, {workload}, {rest}}}]}}"


def _policy(rest: str) -> str:
    return f'{{match: "true", {rest}}}'


NIGHTLY = "protect: [{name: a, on: {schedule: '30 2 * * *'}, keep: {last: 3}}]"
BLACKOUT = "blackout: [{schedule: '0 2 * * *', for: 1h}]"
RESTORE = "{restore: {version: last-good, approve: auto}}"
VAULT = (
    "bucket: abc, credentialsSecret: {namespace: a, name: b}, keySecret: {namespace: a, name: b}"
)

APPLICATIONS = [
    (
        _rule("{schedule: '30 2 29 2 *'}"),
        "spec.protect[0].on.schedule: comes less than once a year, next on 2028-02-29",
    ),
    (
        _rule("{schedule: '*/10 * * * *', jitter: 1h}"),
        "spec.protect[0].on.jitter: spreads over 1h, and the schedule comes every 10m",
    ),
    (
        _rule(f"{{schedule: '30 2 * * *', {BLACKOUT}}}"),
        "spec.protect[0].on.schedule: never starts a backup: each of its times falls into a",
    ),
    (
        _rule("{rpo: 10m, atMost: 2/2h}"),
        "spec.protect[0].on.atMost: allows one backup in 1h, and the rule wants one every 10m",
    ),
    (
        _rule("{schedule: '0 * * * *', atMost: 1/1d}"),
        "spec.protect[0].on.atMost: allows one backup in 1d, and the rule wants one every 1h",
    ),
    (
        _rule("{schedule: '@daily'}", "{within: 6h}"),
        "spec.protect[0].keep.within: lets a version go after 6h, and the next comes after 1d",
    ),
    (
        _rule("{rpo: 1h}", "{daily: 7}"),
        "spec.protect[0].keep.daily: keeps one version of each day, and one comes every 1h",
    ),
    (
        _component(f"dump: {HOOK}, load: {HOOK}"),
        "spec.components[0].dump: is never loaded unless asked for: a restore takes the volumes",
    ),
    (
        _component(f"strategy: none, dump: {HOOK}, load: {HOOK}"),
        "spec.components[0].dump: is never taken: no data is saved",
    ),
    (
        _component(f"strategy: none, quiesce: {HOOK}, resume: {HOOK}"),
        "spec.components[0].quiesce: never runs: no data is saved",
    ),
    (
        _component(f"strategy: dump, dump: {HOOK}, load: {HOOK}, quiesce: {HOOK}, resume: {HOOK}"),
        "spec.components[0].quiesce: holds the application although no snapshot is taken",
    ),
    (
        _component(f"volumes: {{method: files}}, quiesce: {HOOK}, resume: {HOOK}"),
        "spec.components[0].quiesce: is over before the files are read",
    ),
    (_component(f"resume: {HOOK}"), "spec.components[0].resume: never runs: there is no quiesce"),
    (
        _component("strategy: none, volumes: {method: snapshot}"),
        "spec.components[0].volumes: has no effect: strategy none reads no volumes",
    ),
    (
        _component("profile: database/postgres"),
        "spec.components[0].profile: 'database/postgres' is no profile that is shipped, and nearly",
    ),
    (
        f"{{components: [{{name: db, {CUSTOM}, resume: {HOOK}, quiesce: {HOOK}}}]}}",
        "spec.components[0].workload.kind: its commands cannot run: they run in pods of Stateful",
    ),
    (
        "{components: [{name: db, workload: {kind: Statefulset, name: db}}]}",
        "spec.components[0].workload.kind: 'Statefulset' is no kind of Kubernetes",
    ),
    ("{criticality: Gold}", "spec.criticality: 'Gold' is nearly 'gold'"),
    ("{type: databse/postgresql}", "spec.type: 'databse' is nearly 'database'"),
    (
        "{resources: {include: [secrets], exclude: [secrets]}}",
        "spec.resources.include[0]: is excluded as well",
    ),
]
POLICIES = [
    (
        _policy("protect: [{name: a, on: {schedule: '@daily'}}], alerts: {rpo: 1h}"),
        "spec.alerts.rpo: is broken all the time: the rules make a version every 1d at best",
    ),
    (
        _policy("react: [{when: 'true', do: {restore: {version: last-verified}}}]"),
        "spec.react[0].do.restore.version: does nothing yet: this release verifies no version",
    ),
    (
        _policy(f"react: [{{when: 'true', atMost: 1/1d, do: {RESTORE}}}]"),
        "spec.react[0].do.restore: restores at the first sign, without anybody's approval",
    ),
    (
        _policy(f"react: [{{when: 'true', for: 5m, do: {RESTORE}}}]"),
        "spec.react[0].do.restore: restores as often as the reason comes back",
    ),
    (
        _policy("react: [{when: \"health in ['Degraded', 'Broken']\", do: {backup: {}}}]"),
        "spec.react[0].when: health is never 'Broken'",
    ),
    (
        _policy("react: [{when: 'true', do: {notify: {webhook: 'http://a.example.org'}}}]"),
        "spec.react[0].do.notify.webhook: sends in the clear",
    ),
]


@pytest.mark.parametrize(("spec", "said"), APPLICATIONS)
def test_an_application_is_warned_of_what_it_probably_does_not_mean(spec: str, said: str) -> None:
    """One warning for one doubt."""
    (warning,) = _warned("Application", spec)
    assert warning.startswith(said)


@pytest.mark.parametrize(("spec", "said"), POLICIES)
def test_a_policy_is_warned_of_what_it_probably_does_not_mean(spec: str, said: str) -> None:
    """One warning for one doubt."""
    (warning,) = _warned("Policy", spec)
    assert warning.startswith(said)


def test_a_restore_of_what_is_never_verified_is_warned_of() -> None:
    """It would be refused as soon as it is asked for."""
    (warning,) = _warned("Restore", "{application: shop, version: last-verified}")
    assert warning.startswith("spec.version: does nothing yet: this release verifies no version")
    assert _warned("Restore", "{application: shop, version: last-good}") == []


def test_an_address_in_the_clear_is_warned_of_unless_it_is_this_machine() -> None:
    """What is stored is sealed; its names and the store's credentials are not."""
    (warning,) = _warned("Vault", f"{{endpoint: 'http://s3.example.org', {VAULT}}}")
    assert warning.startswith("spec.endpoint: names every object to whoever listens")
    assert _warned("Vault", f"{{endpoint: 'http://127.0.0.1:9000', {VAULT}}}") == []
    assert _warned("Vault", f"{{endpoint: 'https://s3.example.org', {VAULT}}}") == []


def test_a_promise_that_is_shorter_than_a_backup_is_warned_of_where_that_is_known() -> None:
    """In rules and in alerts; without knowing how long one takes nothing is said."""
    rule, alert = _rule("{rpo: 10m}"), _policy("alerts: {rpo: 10m}, react: []")
    assert _warned("Application", rule) == _warned("Policy", alert) == []
    (of_rule,) = _warned("Application", rule, took=Took(backup_s=1200))
    assert of_rule.startswith("spec.protect[0].on.rpo: wants a version every 10m, and a backup tak")
    (of_alert,) = _warned("Policy", alert, took=Took(backup_s=1200))
    assert of_alert.startswith("spec.alerts.rpo: is shorter than a backup, which takes 20m")
    assert _warned("Application", rule, took=Took(backup_s=60)) == []


def test_a_promise_that_is_shorter_than_the_last_restore_is_warned_of() -> None:
    policy = _policy("alerts: {rto: 10m}, react: []")
    assert _warned("Policy", policy) == _warned("Policy", policy, took=Took(restore_s=600)) == []
    (warning,) = _warned("Policy", policy, took=Took(restore_s=600.2))
    assert warning.startswith("spec.alerts.rto: is shorter than the last restore, which took 10m1s")


QUIET = [
    _rule("{schedule: '30 2 * * *', jitter: 10m}", "{last: 7, daily: 30}"),
    _rule("{schedule: '0 2,14 * * *', blackout: [{schedule: '0 2 * * *', for: 1h}]}"),
    _rule("{rpo: 1h}", "{last: 24, daily: 7}"),
    _rule("{rpo: 1h}", "{within: 2d}"),
    _rule("{rpo: 1h}", "{hourly: 24}"),
    _rule("{schedule: '@yearly'}"),
    _rule("{signal: imported, atMost: 1/1d}"),
    _component(f"quiesce: {HOOK}, resume: {HOOK}"),
    _component(f"strategy: dump, dump: {HOOK}, load: {HOOK}"),
    "{criticality: gold, type: database/postgresql}",
    "{criticality: urgent, type: games/chess}",
]


@pytest.mark.parametrize("spec", QUIET)
def test_what_is_meant_is_not_warned_of(spec: str) -> None:
    """A warning that is wrong teaches people to read none."""
    assert _warned("Application", spec) == []


@pytest.mark.parametrize(
    "match",
    [
        "false",
        "!true",
        "1 == 2",
        "'a'.startsWith('b')",
        "duration('1h') > duration('2h')",
        "app.type == 'web' && false",
        "false || 'a' == 'b'",
        "!(true || app.type == 'web')",
        "app.type == 'a' && app.type == 'b'",
        "app.type == 'a' && (app.name == 'x' && 'b' == app.type)",
        "app.labels['a'] == 'x' && !(app.labels['a'] in ['x', 'y'])",
        "app.type in ['a', 'b'] && app.type in ['c']",
        "app.type in ['a', 'b'] && app.type != 'a' && app.type != 'b'",
        "app.type in []",
        "(app.type == 'a' && app.type == 'b') || (app.name == 'c' && app.name == 'd')",
    ],
)
def test_a_match_that_nothing_can_fit_is_a_warning(match: str) -> None:
    (warning,) = _warned("Policy", f'{{match: "{match}", {NIGHTLY}}}')
    assert warning == "spec.match: is never true: no application matches; compare what can be so"


@pytest.mark.parametrize(
    "match",
    [
        "true",
        "app.type == 'a' || app.type == 'b'",
        "app.type == 'a' && app.name == 'b'",
        "app.type == 'a' && app.type == 'a'",
        "app.type in ['a', 'b'] && app.type in ['b', 'c']",
        "app.type in ['a', app.name] && app.type == 'b'",
        "app.type != 'a' && app.type != 'b'",
        "!(app.type == 'a' && app.type == 'b')",
        "app.volumes.exists(v, v.claim == 'a') && app.volumes.exists(v, v.claim == 'b')",
        "app.labels['a'] == 'x' && app.labels['b'] == 'y'",
        "app.namespaceLabels['team'] == 'a' && app.labels['team'] == 'b'",
        "app == null || app.type == 'web'",
    ],
)
def test_a_match_that_something_may_fit_is_none(match: str) -> None:
    assert _warned("Policy", f'{{match: "{match}", {NIGHTLY}}}') == []
