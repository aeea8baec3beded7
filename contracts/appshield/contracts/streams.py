"""Streams, buckets and durable consumers as plain values; the bus makes them so.

Every stream has limits. A stream that must not lose anything refuses new messages when it is full
(`discard: new`): that is back-pressure for the publisher, never a loss.
"""

from appshield.contracts.stream_specs import MIB, BucketSpec, ConsumerSpec, SourceSpec, StreamSpec
from appshield.contracts.subjects import ANY_NODE, AUDITED, ROOT, event, orders, told

DAY_S = 86_400.0
STREAM_NAME_BEGINS = "APPSHIELD_"
DELIVER_FOREVER = -1
WORKER_ACK_WAIT_S = 12.0
"""How soon the order of a worker that died is given to another."""
WORKER_SILENCE_MAX_S = 30.0

STATE = StreamSpec(
    name="APPSHIELD_STATE",
    purpose="latest fact about each application, its health and each policy",
    subjects=(
        f"{ROOT}.evt.application.observed.>",
        f"{ROOT}.evt.policy.observed.>",
        f"{ROOT}.evt.health.changed.>",
    ),
    messages_per_subject_max=1,
    bytes_max=256 * MIB,
)
HISTORY = StreamSpec(
    name="APPSHIELD_HISTORY",
    purpose="the last few facts about each application and its health, for people to look back",
    subjects=(),
    discard="old",
    bytes_max=64 * MIB,
    messages_per_subject_max=20,
    age_max_s=30 * DAY_S,
    sources=(
        SourceSpec(
            stream=STATE.name,
            moves=tuple(
                (event(noun, verb), told(noun, verb))
                for noun, verb in (("application", "observed"), ("health", "changed"))
            ),
        ),
    ),
)
REQUESTS = StreamSpec(
    name="APPSHIELD_REQUESTS",
    purpose="wishes of people and tools, until the planner has admitted them",
    subjects=(f"{ROOT}.cmd.*.request.>",),
    retention="work",
    bytes_max=64 * MIB,
)
COMMANDS = StreamSpec(
    name="APPSHIELD_COMMANDS",
    purpose="orders to workers, until they are done",
    subjects=(
        f"{ROOT}.cmd.repository.open.>",
        f"{ROOT}.cmd.snapshot.take.>",
        f"{ROOT}.cmd.snapshot.release.>",
        f"{ROOT}.cmd.source.store.>",
        f"{ROOT}.cmd.backup.commit.>",
        f"{ROOT}.cmd.version.forget.>",
        f"{ROOT}.cmd.version.pin.>",
        f"{ROOT}.cmd.version.copy.>",
        f"{ROOT}.cmd.repository.prune.>",
        f"{ROOT}.cmd.repository.check.>",
        f"{ROOT}.cmd.repository.repair.>",
        f"{ROOT}.cmd.catalog.rebuild.>",
        f"{ROOT}.cmd.restore.plan.>",
        f"{ROOT}.cmd.restore.prepare.>",
        f"{ROOT}.cmd.volume.load.>",
        f"{ROOT}.cmd.image.push.>",
        f"{ROOT}.cmd.object.apply.>",
        f"{ROOT}.cmd.dump.load.>",
        f"{ROOT}.cmd.restore.finish.>",
        f"{ROOT}.cmd.notice.send.>",
        f"{ROOT}.cmd.audit.archive.>",
    ),
    retention="work",
    bytes_max=256 * MIB,
)
PLANNER_TELLS = (
    f"{ROOT}.evt.run.>",
    f"{ROOT}.evt.pause.>",
    f"{ROOT}.evt.rpo.>",
    f"{ROOT}.evt.rto.>",
)
"""What the planner tells others, and does not read itself."""
OUTCOMES = StreamSpec(
    name="APPSHIELD_OUTCOMES",
    purpose="what came of orders and what became of runs; trimmed behind the planner",
    subjects=(
        f"{ROOT}.evt.repository.>",
        f"{ROOT}.evt.snapshot.>",
        f"{ROOT}.evt.source.>",
        f"{ROOT}.evt.backup.>",
        f"{ROOT}.evt.version.>",
        f"{ROOT}.evt.restore.>",
        f"{ROOT}.evt.volume.>",
        f"{ROOT}.evt.image.>",
        f"{ROOT}.evt.object.>",
        f"{ROOT}.evt.dump.>",
        f"{ROOT}.evt.step.failed.>",
        f"{ROOT}.evt.catalog.>",
        f"{ROOT}.evt.application.found.>",
        f"{ROOT}.evt.change.>",
        *PLANNER_TELLS,
    ),
    bytes_max=512 * MIB,
)
SIGNALS = StreamSpec(
    name="APPSHIELD_SIGNALS",
    purpose="what other tools tell",
    subjects=(f"{ROOT}.signal.>",),
    bytes_max=128 * MIB,
    age_max_s=7 * DAY_S,
)
TIMERS = StreamSpec(
    name="APPSHIELD_TIMERS",
    purpose="durable timers, and those that are due until they are handled",
    subjects=(f"{ROOT}.timer.>", f"{ROOT}.due.>"),
    retention="work",
    discard="old",  # the server allows no other with schedules
    bytes_max=256 * MIB,
    schedules=True,
)
AUDIT = StreamSpec(
    name="APPSHIELD_AUDIT",
    purpose="the audit: entries that name the one before them; trimmed behind what is archived",
    subjects=(AUDITED,),
    bytes_max=512 * MIB,
    only_grows=True,
)
OBSERVATIONS = StreamSpec(
    name="APPSHIELD_OBSERVATIONS",
    purpose="what was seen done, until it is in the audit",
    subjects=(f"{ROOT}.audit.>",),
    retention="work",
    bytes_max=128 * MIB,
)
DEAD = StreamSpec(
    name="APPSHIELD_DEAD",
    purpose="messages that could not be handled, for a person to look at and replay",
    subjects=(f"{ROOT}.dead.>",),
    bytes_max=256 * MIB,
    age_max_s=90 * DAY_S,
    message_bytes_max=2 * MIB,
)
LOGS = StreamSpec(
    name="APPSHIELD_LOGS",
    purpose="log lines of runs; the oldest go first",
    subjects=(f"{ROOT}.log.>",),
    discard="old",
    bytes_max=128 * MIB,
    messages_per_subject_max=5_000,
    age_max_s=14 * DAY_S,
)
ADVISORIES = StreamSpec(
    name="APPSHIELD_ADVISORIES",
    purpose="the server's word on messages that nobody settled, until they are parked",
    subjects=("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",),
    retention="work",
    discard="old",
    bytes_max=16 * MIB,
)
STREAMS = (
    STATE,
    HISTORY,
    REQUESTS,
    COMMANDS,
    OUTCOMES,
    SIGNALS,
    TIMERS,
    AUDIT,
    OBSERVATIONS,
    DEAD,
    LOGS,
    ADVISORIES,
)

RUNS = BucketSpec(name="APPSHIELD_RUNS", purpose="runs, by id", bytes_max=512 * MIB)
APPLICATIONS = BucketSpec(
    name="APPSHIELD_APPLICATIONS", purpose="histories, by application id", bytes_max=256 * MIB
)
POLICIES = BucketSpec(
    name="APPSHIELD_POLICIES",
    purpose="policies in force, by cluster and name",
    bytes_max=64 * MIB,
)
CATALOG = BucketSpec(
    name="APPSHIELD_CATALOG", purpose="versions, by application id and number", bytes_max=512 * MIB
)
COMMITS = BucketSpec(
    name="APPSHIELD_COMMITS",
    purpose="sealed snapshot documents, by run, written before the bucket",
    bytes_max=256 * MIB,
    live_s=30 * DAY_S,
)
RESULTS = BucketSpec(
    name="APPSHIELD_RESULTS",
    purpose="outcomes that workers have reached, by run and step",
    bytes_max=256 * MIB,
    live_s=7 * DAY_S,
)
QUIESCED = BucketSpec(
    name="APPSHIELD_QUIESCED", purpose="promises to resume, by application", bytes_max=16 * MIB
)
REPOSITORY_LOCKS = BucketSpec(
    name="APPSHIELD_LOCKS", purpose="repository locks that workers hold", bytes_max=16 * MIB
)
AGENTS = BucketSpec(
    name="APPSHIELD_AGENTS", purpose="workers that are alive", bytes_max=16 * MIB, live_s=15
)
LEASES = BucketSpec(
    name="APPSHIELD_LEASES", purpose="who plans at the moment", bytes_max=MIB, live_s=8
)
CURSORS = BucketSpec(
    name="APPSHIELD_CURSORS", purpose="what the watcher has told already", bytes_max=128 * MIB
)
MEMBERS = BucketSpec(
    name="APPSHIELD_MEMBERS",
    purpose="which objects belonged to an application at its last snapshot, by application id",
    bytes_max=256 * MIB,
)
HOLDS = BucketSpec(
    name="APPSHIELD_HOLDS",
    purpose="operations that wait at a gate, by application id, operation and object",
    bytes_max=16 * MIB,
    live_s=DAY_S,
)
GRANTS = BucketSpec(
    name="APPSHIELD_GRANTS", purpose="what users of the bus may ask for, by name", bytes_max=4 * MIB
)
ASKED = BucketSpec(
    name="APPSHIELD_ASKED",
    purpose="commands that came over REST, by run: the same key is the same command",
    bytes_max=64 * MIB,
    live_s=7 * DAY_S,
)
SESSIONS = BucketSpec(
    name="APPSHIELD_SESSIONS",
    purpose="sessions of browsers, sealed, by the digest of their names",
    bytes_max=32 * MIB,
    live_s=DAY_S / 2,
)
PROJECTIONS = BucketSpec(
    name="APPSHIELD_PROJECTIONS",
    purpose="what the watcher remembers of objects whose changes are waited for",
    bytes_max=256 * MIB,
)
PROMISES = BucketSpec(
    name="APPSHIELD_PROMISES",
    purpose="how promises about recovery were kept, by day that is over and part of applications",
    bytes_max=256 * MIB,
)
BUCKETS = (
    RUNS,
    APPLICATIONS,
    POLICIES,
    CATALOG,
    COMMITS,
    RESULTS,
    QUIESCED,
    REPOSITORY_LOCKS,
    AGENTS,
    LEASES,
    CURSORS,
    MEMBERS,
    HOLDS,
    GRANTS,
    ASKED,
    SESSIONS,
    PROJECTIONS,
    PROMISES,
)

PLANNER_FACTS = ConsumerSpec(name="planner-facts", stream=STATE.name, filters=STATE.subjects)
PLANNER_REQUESTS = ConsumerSpec(
    name="planner-requests", stream=REQUESTS.name, filters=REQUESTS.subjects
)
PLANNER_OUTCOMES = ConsumerSpec(
    name="planner-outcomes",
    stream=OUTCOMES.name,
    filters=tuple(s for s in OUTCOMES.subjects if s not in PLANNER_TELLS),
)
PLANNER_TIMERS = ConsumerSpec(name="planner-timers", stream=TIMERS.name, filters=(f"{ROOT}.due.>",))
PLANNER_SIGNALS = ConsumerSpec(
    name="planner-signals", stream=SIGNALS.name, filters=SIGNALS.subjects, signals=True
)
PLANNER_AUDIT = ConsumerSpec(
    name="planner-audit",
    stream=OBSERVATIONS.name,
    filters=OBSERVATIONS.subjects,
    deliver_max=DELIVER_FOREVER,
    in_flight_max=512,
)
PLANNER_EXHAUSTED = ConsumerSpec(
    name="planner-exhausted",
    stream=ADVISORIES.name,
    filters=ADVISORIES.subjects,
    deliver_max=DELIVER_FOREVER,
)
SNAPSHOTTER_ORDERS = ConsumerSpec(
    name="snapshotter-orders",
    stream=COMMANDS.name,
    filters=(orders("snapshot", "take"), orders("snapshot", "release")),
    ack_wait_s=WORKER_ACK_WAIT_S,
    silence_max_s=WORKER_SILENCE_MAX_S,
)
UPLOADER_ORDERS = ConsumerSpec(
    name="uploader-orders",
    stream=COMMANDS.name,
    filters=(
        orders("repository", "open"),
        orders("source", "store", node=ANY_NODE),
        orders("backup", "commit"),
        orders("version", "forget"),
        orders("version", "pin"),
        orders("version", "copy"),
        orders("repository", "prune"),
        orders("repository", "check"),
        orders("repository", "repair"),
        orders("catalog", "rebuild"),
    ),
    ack_wait_s=WORKER_ACK_WAIT_S,
    silence_max_s=WORKER_SILENCE_MAX_S,
)
UPLOADER_AUDIT = ConsumerSpec(
    name="uploader-audit",
    stream=COMMANDS.name,
    filters=(orders("audit", "archive"),),
    silence_max_s=WORKER_SILENCE_MAX_S,
)
RESTORER_ORDERS = ConsumerSpec(
    name="restorer-orders",
    stream=COMMANDS.name,
    filters=(
        orders("restore", "plan"),
        orders("restore", "prepare"),
        orders("image", "push"),
        orders("object", "apply"),
        orders("dump", "load"),
        orders("restore", "finish"),
    ),
    ack_wait_s=WORKER_ACK_WAIT_S,
    silence_max_s=WORKER_SILENCE_MAX_S,
)
GATEWAY_ORDERS = ConsumerSpec(
    name="gateway-orders",
    stream=COMMANDS.name,
    filters=(orders("notice", "send"),),
    silence_max_s=WORKER_SILENCE_MAX_S,
    deliver_max=12,
)
CONSUMERS = (
    PLANNER_FACTS,
    PLANNER_REQUESTS,
    PLANNER_OUTCOMES,
    PLANNER_TIMERS,
    PLANNER_SIGNALS,
    PLANNER_AUDIT,
    PLANNER_EXHAUSTED,
    SNAPSHOTTER_ORDERS,
    UPLOADER_ORDERS,
    UPLOADER_AUDIT,
    RESTORER_ORDERS,
    GATEWAY_ORDERS,
)
