"""What a user does becomes subjects of the server."""

import pytest

from appshield.bus.permissions import allowed
from appshield.contracts.permissions import USERS, UserSpec, users_of
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.contracts.streams import COMMANDS, RUNS, SIGNALS


def test_a_user_who_does_nothing_hears_its_answers_only() -> None:
    """No right comes by default."""
    may = allowed(UserSpec(name="nobody"))
    assert may.publish == ()
    assert may.subscribe == ("_INBOX_nobody.>",)


def test_each_part_of_a_description_becomes_its_subjects() -> None:
    """Consumers, streams and buckets are named exactly; only keys are wild."""
    consumer = ConsumerSpec(name="x-orders", stream=SIGNALS.name, filters=SIGNALS.subjects)
    may = allowed(
        UserSpec(
            name="x", publishes=("a.b",), consumes=(consumer,), keeps=(RUNS,), listens=("c.>",)
        )
    )
    assert "$JS.API.CONSUMER.MSG.NEXT.APPSHIELD_SIGNALS.x-orders" in may.publish
    assert "$JS.ACK.APPSHIELD_SIGNALS.x-orders.>" in may.publish
    assert "$KV.APPSHIELD_RUNS.>" in may.publish
    assert "a.b" in may.publish
    assert "c.>" in may.subscribe
    assert not [one for one in may.publish if "CREATE" in one or one.startswith("$JS.API.>")]


@pytest.mark.parametrize("service", ["uploader", "restorer"])
def test_an_agent_takes_the_orders_of_its_own_node(service: str) -> None:
    """By the name of that consumer; its service does not, and without a node there is no agent."""
    users = {one.name: one for one in users_of("my.cluster", "n.1")}
    own = f"$JS.API.CONSUMER.MSG.NEXT.{COMMANDS.name}.{service}-my_cluster-n_1"
    assert [name for name, user in users.items() if own in allowed(user).publish] == [
        f"{service}-agent"
    ]
    assert users_of("my.cluster", "") == USERS


@pytest.mark.parametrize("service", ["uploader", "restorer"])
def test_an_agent_writes_keys_of_its_own_only(service: str) -> None:
    """Of no bucket all of them: what others keep there is taken for their word."""
    agent = next(one for one in users_of("c.1", "n.1") if one.name == f"{service}-agent")
    keys = [one for one in allowed(agent).publish if one.startswith("$KV.")]
    assert keys == [
        f"$KV.APPSHIELD_LOCKS.agents.{service}.c_1.n_1.>",
        f"$KV.APPSHIELD_AGENTS.{service}.c_1.n_1",
    ]


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_nobody_but_administrators_may_make_consumers(user: UserSpec) -> None:
    """A consumer delivers to any subject: making one is publishing anything."""
    may = allowed(user)
    wide = [one for one in may.publish if one.startswith(("$JS.API.CONSUMER.CREATE", "$JS.API.>"))]
    assert bool(wide) == user.administers


def test_an_agent_reads_nothing_that_an_agent_writes() -> None:
    """Else the server could be made to send it on, as an answer, to where no agent may publish."""
    agents = [one for one in users_of("c.1", "n.1") if one.keeps_below]
    assert [one.name for one in agents] == ["uploader-agent", "restorer-agent"]
    for agent in agents:
        assert (agent.reads, agent.latest, agent.keeps) == ((), (), ())
        assert agent.looks_at == (RUNS,)
        assert {one.stream for one in agent.consumes} == {COMMANDS.name}
        runs_and_orders = ("$KV.APPSHIELD_RUNS", "appshield.v1.cmd")
        assert not [one for one in agent.publishes if one.startswith(runs_and_orders)]
