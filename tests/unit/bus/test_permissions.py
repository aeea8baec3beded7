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


def test_an_agent_takes_the_orders_of_its_own_node() -> None:
    """By the name of that consumer; where there is no agent, of no node."""
    for service in ("uploader", "restorer"):
        here = next(one for one in users_of("my.cluster", "n.1") if one.name == service)
        away = next(one for one in users_of("my.cluster", "") if one.name == service)
        own = f"$JS.API.CONSUMER.MSG.NEXT.{COMMANDS.name}.{service}-my_cluster-n_1"
        assert set(allowed(here).publish) - set(allowed(away).publish) >= {own}
        assert own not in allowed(away).publish
    assert [one.name for one in users_of("c", "n")] == [one.name for one in USERS]


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_nobody_but_administrators_may_make_consumers(user: UserSpec) -> None:
    """A consumer delivers to any subject: making one is publishing anything."""
    may = allowed(user)
    wide = [one for one in may.publish if one.startswith(("$JS.API.CONSUMER.CREATE", "$JS.API.>"))]
    assert bool(wide) == user.administers
