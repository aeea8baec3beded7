"""Which user of the bus may publish and read what, as plain values.

Every service has a user of its own from the first day, and so have its agents on a node, who may
less; `installer` makes streams and consumers, `person` is what the command line of an installation
uses, `operator` replays dead letters. Who else may ask gets a user with a grant
(`appshield.doors.grants`): its own name, its own namespaces.
"""

import msgspec

from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import AgentService, agent_key, agent_keys, agent_user
from appshield.contracts.identities import token
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, StreamSpec
from appshield.contracts.subjects import AUDITED, ROOT, audit, dead, lend, lent, requests


class KeysBelow(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the keys of a bucket, by their pattern."""

    bucket: BucketSpec
    pattern: str


class UserSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one user of the bus may do.

    `publishes`: subjects; `consumes`: durable consumers; `reads`: streams to look at without
    consuming; `latest`: subjects of which the latest fact may be looked up, and no other; `keeps`
    and `looks_at`: buckets to write and to read; `keeps_below`: keys of a bucket to write, and no
    others of it; `removes_from`: streams out of which single messages may be taken.
    """

    name: str
    publishes: tuple[str, ...] = ()
    listens: tuple[str, ...] = ()
    consumes: tuple[ConsumerSpec, ...] = ()
    reads: tuple[StreamSpec, ...] = ()
    latest: tuple[str, ...] = ()
    keeps: tuple[BucketSpec, ...] = ()
    keeps_below: tuple[KeysBelow, ...] = ()
    looks_at: tuple[BucketSpec, ...] = ()
    removes_from: tuple[StreamSpec, ...] = ()
    administers: bool = False


_LOG = f"{ROOT}.log.>"
_LIVE = f"{ROOT}.live.>"
_FAILED = f"{ROOT}.evt.step.failed.>"
_WORKER_KEEPS = (streams.RESULTS, streams.AGENTS)
_WORKER_LOOKS = (streams.RUNS,)

INSTALLER = UserSpec(name="installer", keeps=(streams.GRANTS,), administers=True)
WATCHER = UserSpec(
    name="watcher",
    publishes=(
        *streams.STATE.subjects,
        f"{ROOT}.evt.change.>",
        requests("backup", door="object"),
        requests("restore", door="object"),
        audit("watcher"),
        _LOG,
    ),
    reads=(streams.STATE,),
    keeps=(streams.CURSORS, streams.PROJECTIONS, streams.AGENTS),
    looks_at=(
        streams.RUNS,
        streams.APPLICATIONS,
        streams.CATALOG,
        streams.POLICIES,
        streams.MEMBERS,
    ),
)
PLANNER = UserSpec(
    name="planner",
    publishes=(
        *streams.COMMANDS.subjects,
        *streams.PLANNER_TELLS,
        f"{ROOT}.signal.>",
        f"{ROOT}.timer.>",
        f"{ROOT}.due.>",
        audit("planner"),
        AUDITED,
        f"{ROOT}.dead.>",
        _LOG,
        _LIVE,
    ),
    listens=(_LIVE,),
    consumes=(
        streams.PLANNER_FACTS,
        streams.PLANNER_REQUESTS,
        streams.PLANNER_OUTCOMES,
        streams.PLANNER_TIMERS,
        streams.PLANNER_SIGNALS,
        streams.PLANNER_AUDIT,
        streams.PLANNER_EXHAUSTED,
    ),
    reads=(streams.STATE, streams.OUTCOMES, streams.TIMERS, streams.COMMANDS, streams.AUDIT),
    keeps=(
        streams.RUNS,
        streams.APPLICATIONS,
        streams.POLICIES,
        streams.CATALOG,
        streams.LEASES,
        streams.AGENTS,
        streams.PROMISES,
    ),
    looks_at=(streams.GRANTS,),
    administers=True,
)
SNAPSHOTTER = UserSpec(
    name="snapshotter",
    publishes=(f"{ROOT}.evt.snapshot.>", _FAILED, f"{ROOT}.dead.snapshotter", _LOG, _LIVE),
    consumes=(streams.SNAPSHOTTER_ORDERS,),
    keeps=(*_WORKER_KEEPS, streams.QUIESCED, streams.MEMBERS),
    looks_at=_WORKER_LOOKS,
)
UPLOADER = UserSpec(
    name="uploader",
    publishes=(
        f"{ROOT}.evt.repository.>",
        f"{ROOT}.evt.source.>",
        f"{ROOT}.evt.backup.>",
        f"{ROOT}.evt.version.>",
        f"{ROOT}.evt.catalog.>",
        f"{ROOT}.evt.application.found.>",
        audit("uploader"),
        lent("uploader"),
        _FAILED,
        f"{ROOT}.dead.uploader",
        _LOG,
        _LIVE,
    ),
    listens=(lend("uploader"),),
    consumes=(streams.UPLOADER_ORDERS, streams.UPLOADER_AUDIT),
    reads=(streams.AUDIT,),
    keeps=(*_WORKER_KEEPS, streams.COMMITS, streams.REPOSITORY_LOCKS),
    looks_at=_WORKER_LOOKS,
)
RESTORER = UserSpec(
    name="restorer",
    publishes=(
        f"{ROOT}.evt.restore.>",
        f"{ROOT}.evt.volume.>",
        f"{ROOT}.evt.image.>",
        f"{ROOT}.evt.object.>",
        f"{ROOT}.evt.dump.>",
        audit("restorer"),
        lent("restorer"),
        _FAILED,
        f"{ROOT}.dead.restorer",
        _LOG,
        _LIVE,
    ),
    listens=(lend("restorer"),),
    consumes=(streams.RESTORER_ORDERS,),
    keeps=(*_WORKER_KEEPS, streams.REPOSITORY_LOCKS),
    looks_at=_WORKER_LOOKS,
)
GATEWAY = UserSpec(
    name="gateway",
    publishes=(
        requests(door="rest"),
        requests("gate", door="gate"),
        f"{ROOT}.signal.>",
        audit("gate"),
        audit("gateway"),
        f"{ROOT}.dead.gateway",
        _LOG,
    ),
    listens=(_LIVE,),
    consumes=(streams.GATEWAY_ORDERS,),
    reads=(streams.OUTCOMES, streams.HISTORY, streams.LOGS, streams.DEAD, streams.AUDIT),
    keeps=(streams.AGENTS, streams.HOLDS, streams.ASKED, streams.SESSIONS),
    looks_at=(
        streams.RUNS,
        streams.APPLICATIONS,
        streams.POLICIES,
        streams.CATALOG,
        streams.PROMISES,
    ),
)
PERSON = UserSpec(
    name="person",
    publishes=(requests(door="local"), f"{ROOT}.signal.>", audit("person")),
    listens=(_LIVE,),
    reads=(
        streams.STATE,
        streams.HISTORY,
        streams.OUTCOMES,
        streams.SIGNALS,
        streams.DEAD,
        streams.LOGS,
        streams.AUDIT,
    ),
    looks_at=(
        streams.RUNS,
        streams.APPLICATIONS,
        streams.POLICIES,
        streams.CATALOG,
        streams.AGENTS,
        streams.HOLDS,
        streams.PROMISES,
    ),
)
OPERATOR = UserSpec(
    name="operator",
    publishes=(f"{ROOT}.>",),
    listens=(_LIVE,),
    reads=streams.STREAMS,
    looks_at=streams.BUCKETS,
    removes_from=(streams.DEAD,),
)
USERS = (INSTALLER, WATCHER, PLANNER, SNAPSHOTTER, UPLOADER, RESTORER, GATEWAY, PERSON, OPERATOR)


def users_of(cluster: str, node: str) -> tuple[UserSpec, ...]:
    """List the users of an installation whose agents are on one node, or on none (empty)."""
    return (*USERS, *agent_users(cluster, node)) if node else USERS


def agent_users(cluster: str, node: str) -> tuple[UserSpec, ...]:
    """List the agents on a node of a cluster.

    An agent takes the orders of its own node and service, tells what came of these alone, and
    asks for keys in its own name. It writes keys of its own, where nothing is taken for the word of
    somebody else, and reads nothing that it could have written: the server sends an answer wherever
    the asker wants it, and so could be made to say, in any place, what the agent wrote.
    """
    return (
        _agent("uploader", "source.stored", cluster, node),
        _agent("restorer", "volume.loaded", cluster, node),
    )


def _agent(service: AgentService, tells: str, cluster: str, node: str) -> UserSpec:
    name, place = agent_user(service), token(cluster)
    own = f"{agent_keys(service, cluster, node)}>"
    return UserSpec(
        name=name,
        publishes=(
            f"{ROOT}.evt.{tells}.{place}.>",
            f"{ROOT}.evt.step.failed.{place}.>",
            f"{ROOT}.live.progress.{place}.>",
            lend(service, cluster, node),
            dead(name),
            _LOG,
        ),
        listens=(lent(service, cluster, node),),
        consumes=(agent_consumer(service, cluster, node),),
        keeps_below=(
            KeysBelow(bucket=streams.REPOSITORY_LOCKS, pattern=own),
            KeysBelow(bucket=streams.AGENTS, pattern=agent_key(service, cluster, node)),
        ),
        looks_at=_WORKER_LOOKS,
    )
