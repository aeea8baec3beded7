"""Which policies protect an application in effect, decided as the planner decides it. Pure."""

from collections.abc import Iterable

from appshield.application.reading import Reading
from appshield.kubernetes import Object
from appshield.language.combining import combine
from appshield.language.describing import decide, facts_of
from appshield.language.effective import EffectiveProtection
from appshield.language.in_force import policy_in_force
from appshield.language.kinds import Application
from appshield.language.resolving import resolve_policy
from appshield.manifests.claims import volumes_of
from appshield.manifests.objects import labels_of, name_of


def effective_protection(
    application: Application, reading: Reading, policies: Iterable[Object]
) -> tuple[EffectiveProtection, tuple[str, ...]]:
    """Return what protects an application, and why policies do not count.

    Args:
        application: the document as it is written.
        reading: the cluster as the document sees it.
        policies: every Policy object.
    """
    facts = facts_of(
        reading.application,
        namespace_labels=labels_of(reading.namespace),
        volumes=volumes_of(reading.application, reading.objects),
    )
    decided = []
    problems = []
    for obj in sorted(policies, key=name_of):
        read, refused = policy_in_force(obj)
        if refused:
            holds = "does not count" if read is None else "counts as it was accepted last"
            problems.append(f"policy {name_of(obj)} {holds}: {refused}")
        if read is not None:
            policy = resolve_policy(read)
            decided.append((policy, decide(policy.name, policy.match, facts)))
    return combine(application, decided), tuple(problems)
