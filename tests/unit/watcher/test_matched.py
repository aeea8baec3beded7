"""What a policy means for the applications is counted as they change, one by one."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.watcher.matched import Matched, Protected

POLICIES = ("a", "b", "c")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]),
        st.none()
        | st.tuples(
            st.frozensets(st.sampled_from(POLICIES)),
            st.dictionaries(st.sampled_from(POLICIES), st.sampled_from(["why", "else"])),
        ),
    )
)


def record(name: str, policies: frozenset[str], undecided: Mapping[str, str]) -> ApplicationRecord:
    return ApplicationRecord(
        app_id=name,
        app=AppRef(cluster="test", namespace="shop", name=name),
        uid=name,
        vault="primary",
        state="active",
        policies=tuple(sorted(policies)),
        undecided=dict(undecided),
    )


@given(CHANGES)
def test_the_counts_are_those_of_the_applications_that_there_are(
    changes: list[tuple[str, tuple[frozenset[str], dict[str, str]] | None]],
) -> None:
    """Whatever came, changed and went; and a policy that means another thing now is named."""
    matched, there = Matched(), dict[str, ApplicationRecord]()
    for name, said in changes:
        before = {policy: matched.of(policy) for policy in POLICIES}
        there.pop(name, None)
        if said is not None:
            there[name] = record(name, *said)
        concerned = matched.take(name, there.get(name))
        for policy in POLICIES:
            counted = Protected(
                sum(policy in one.policies for one in there.values()),
                {
                    str(one.app): one.undecided[policy]
                    for one in there.values()
                    if policy in one.undecided
                },
            )
            assert matched.of(policy) == counted
            assert counted == before[policy] or policy in concerned
