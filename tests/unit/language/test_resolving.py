"""Defaults, the revision, and that resolving never fails on what was accepted."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appshield.errors import InvalidInputError
from appshield.language import defaults
from appshield.language.kinds import API_VERSION, Application, document
from appshield.language.object_reading import read_object
from appshield.language.resolved import (
    ChangeTrigger,
    GateTrigger,
    HealthTrigger,
    ManualTrigger,
    ResolvedApplication,
    RpoTrigger,
    Schedule,
    SignalTrigger,
)
from appshield.language.resolving import resolve
from appshield.language.values import RateLimit, duration, rate, seconds
from language_documents import as_data


def _resolve(**spec: object) -> ResolvedApplication:
    return resolve(_application(**spec))


def _application(**spec: object) -> Application:
    metadata = {"name": "shop", "namespace": "shop", "generation": 3, "uid": "u1"}
    read = read_object(
        {"apiVersion": API_VERSION, "kind": "Application", "metadata": metadata, "spec": spec}
    )
    assert isinstance(read, Application)
    return read


def test_an_empty_spec_resolves_to_the_defaults() -> None:
    """What a document does not say is written in `defaults`, and nowhere else."""
    resolved = _resolve()
    assert (resolved.type, resolved.criticality) == (defaults.TYPE, defaults.CRITICALITY)
    assert (resolved.images, resolved.targets) == (defaults.IMAGES, (defaults.TARGET,))
    assert resolved.resources.follow is defaults.FOLLOW
    assert resolved.resources.selector is None
    assert (resolved.uid, resolved.generation) == ("u1", 3)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ({"schedule": "@daily"}, Schedule(cron="@daily")),
        ({"rpo": "1h30m"}, RpoTrigger(age_s=5400)),
        ({"change": {"of": ["secrets"]}}, ChangeTrigger(of=("secrets",), when="")),
        ({"signal": "deployed"}, SignalTrigger(signal="deployed", when="")),
        (
            {"signal": "deployed", "when": "payload.ok == true"},
            SignalTrigger(signal="deployed", when="payload.ok == true"),
        ),
        ({"health": "Degraded"}, HealthTrigger(becomes="Degraded")),
        ({"gate": {"before": ["rollout"]}}, GateTrigger(before=("rollout",))),
        ({"manual": True}, ManualTrigger()),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_trigger_resolves_to_its_own_variant(on: dict[str, Any], expected: object) -> None:
    """A resolved rule has exactly one trigger."""
    (rule,) = _resolve(protect=[{"name": "a", "on": on}]).protect
    assert expected == rule.trigger


def test_what_is_common_to_all_triggers_is_resolved_beside_them() -> None:
    """Settle, rate, blackout, priority and targets do not depend on the trigger."""
    window = {"schedule": "0 8 * * 1-5", "for": "10h", "timezone": "Europe/Berlin"}
    on = {"rpo": "1h", "settle": "20s", "atMost": "1/10m", "blackout": [window], "priority": 5}
    rules = [{"name": "a", "on": on, "targets": ["offsite"]}, {"name": "b", "on": {"rpo": "1h"}}]
    first, second = _resolve(protect=rules, targets=["near"]).protect
    assert (first.settle_s, first.priority) == (20, 5)
    assert first.at_most == RateLimit(count=1, window_s=600)
    assert first.blackout[0].lasts_s == 36_000
    assert first.blackout[0].opens.timezone == "Europe/Berlin"
    assert (first.targets, second.targets) == (("offsite",), ("near",))
    assert (second.settle_s, second.at_most, second.blackout, second.keep) == (0, None, (), None)


def test_a_component_without_a_profile_has_the_type_of_its_application() -> None:
    """A database in a component is known as one, whichever field says so."""
    workload = {"kind": "StatefulSet", "name": "db"}
    components = [
        {"name": "db", "workload": workload},
        {"name": "web", "workload": {"kind": "Deployment", "name": "web"}, "profile": "web"},
    ]
    db, web = _resolve(type="database/mysql", components=components).components
    assert (db.is_database, web.is_database) == (True, False)


def test_hooks_that_move_data_have_longer_defaults() -> None:
    """A quiesce holds up the application, a dump does not."""
    hook = {"command": ["x"]}
    hooks = {"quiesce": hook, "resume": hook, "dump": hook, "load": hook}
    workload = {"kind": "StatefulSet", "name": "db"}
    (db,) = _resolve(components=[{"name": "db", "workload": workload, **hooks}]).components
    assert db.quiesce is not None
    assert db.dump is not None
    assert (db.quiesce.timeout_s, db.quiesce.pods) == (seconds(defaults.HOOK_TIMEOUT), "all")
    assert (db.dump.timeout_s, db.dump.pods) == (seconds(defaults.COPY_TIMEOUT), "any")


def test_the_revision_is_of_the_content_and_not_of_its_form() -> None:
    """Order of fields and metadata change nothing; a value does."""
    one = _resolve(type="web", criticality="gold")
    other = _resolve(criticality="gold", type="web")
    assert one.revision == other.revision
    assert one.revision != _resolve(type="web", criticality="silver").revision


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30), ("5m", 300), ("1h", 3600), ("1d", 86_400), ("2w", 1_209_600), ("1h30m", 5400)],
)
def test_durations_have_one_grammar(text: str, expected: int) -> None:
    """Numbers with units, added up."""
    assert expected == seconds(text)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 m", "1.5h", "-5m", "5M", "0s", "999999999w", "5m\n", "٣s", "1s" * 60]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Nothing is guessed: no unit, no sign, no fraction, not zero, not a century."""
    with pytest.raises(InvalidInputError):
        seconds(text)


@pytest.mark.parametrize("text", ["", "1", "0/1m", "1/", "/1m", "1/0s", "-1/1m"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """A rate has a count above zero and a window."""
    with pytest.raises(InvalidInputError):
        rate(text)


@given(st.integers(min_value=1, max_value=10**9))
def test_a_duration_in_words_reads_back_as_the_same(total_s: int) -> None:
    """`duration` is the inverse of `seconds`."""
    assert total_s == seconds(duration(total_s))


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
COUNTS = st.integers(1, 50)
TRIGGERS = st.one_of(
    st.fixed_dictionaries(
        {"schedule": st.sampled_from(["@daily", "30 2 * * *", "*/5 * * * 1-5", "0 0 29 2 *"])},
        optional={"jitter": st.just("5m"), "missed": st.sampled_from(["run-once", "skip"])},
    ),
    st.fixed_dictionaries({"rpo": st.sampled_from(["1h", "90m"])}, optional={"priority": COUNTS}),
    st.just({"manual": True}),
)
RULES = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "on": TRIGGERS},
        optional={"keep": st.dictionaries(st.sampled_from(["last", "daily"]), COUNTS, min_size=1)},
    ),
    max_size=4,
    unique_by=lambda rule: str(rule["name"]),
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        "criticality": NAMES,
        "images": st.sampled_from(["pin", "archive"]),
        "protect": RULES,
        "targets": st.lists(NAMES, max_size=3, unique=True),
        "resources": st.fixed_dictionaries(
            {}, optional={"follow": st.booleans(), "exclude": st.lists(NAMES, max_size=3)}
        ),
    },
)


@settings(max_examples=200)
@given(SPECS)
def test_an_accepted_document_resolves_and_reads_back_as_the_same(spec: dict[str, Any]) -> None:
    """Reading, writing, reading again and resolving agree for every document."""
    first = _application(**spec)
    second = read_object(document(first))
    assert isinstance(second, Application)
    assert first == second
    resolved = resolve(first)
    assert resolved == resolve(second)
    assert resolved == msgspec.convert(as_data(resolved), ResolvedApplication)
