"""The grammar of subjects.

    appshield.v1.evt.<noun>.<verb>.<cluster>.<namespace>.<app>            facts and outcomes
    appshield.v1.told.<noun>.<verb>.<cluster>.<namespace>.<app>           the last few of a fact
    appshield.v1.cmd.<noun>.<verb>.<cluster>.<node>.<namespace>.<app>     orders to workers
    appshield.v1.cmd.<noun>.request.<cluster>.<namespace>.<app>.<door>.<actor>    wishes of somebody
    appshield.v1.signal.<name>                                            what other tools tell
    appshield.v1.timer.<name> and appshield.v1.due.<name>                 durable timers
    appshield.v1.live.<noun>.<cluster>.<namespace>.<app>                  may be lost: progress
    appshield.v1.log.<run>.<service>                                      lines of a run's log
    appshield.v1.lend.<service>.<cluster>.<node>                          an agent asks for a key
    appshield.v1.lent.<service>.<cluster>.<node>                          what it is answered
    appshield.v1.audit.<user>                                             what a user saw done
    appshield.v1.audited                                                  the audit
    appshield.v1.dead.<service>                                           parked messages
    appshield.v1.stored.<stream>.<subject>                                hints: just stored

Dots in Kubernetes names become underscores. `<node>` is `_any` where any worker will do: no node
can be called that. `<actor>` is who asks and `<door>` where that was made sure of, so that the
server lets each user of the bus speak for those only whom it may speak for.
"""

from appshield.contracts.identities import AppRef, actor_token, token

ROOT = "appshield.v1"
ANY_NODE = "_any"
AUDITED = f"{ROOT}.audited"
"""Where the entries of the audit are, and nothing else."""


def event(noun: str, verb: str, app: AppRef | None = None) -> str:
    """Name the subject of a fact about an application, or the filter for those about any."""
    return f"{ROOT}.evt.{noun}.{verb}.{place(app) if app is not None else '>'}"


def told(noun: str, verb: str, app: AppRef | None = None) -> str:
    """Name the subject that holds the last few of a fact of which only the latest counts."""
    return f"{ROOT}.told.{noun}.{verb}.{place(app) if app is not None else '>'}"


def request(noun: str, app: AppRef, *, door: str, actor: str) -> str:
    """Name the subject of a wish: where it is about, the door it came through, and who asks."""
    return f"{ROOT}.cmd.{noun}.request.{place(app)}.{door}.{actor_token(actor)}"


def requests(noun: str = "*", *, place: str = "*.*.*", door: str, actor: str = "*") -> str:
    """Name the filter for wishes of one kind or any, through one door; tokens, or `*` for any."""
    return f"{ROOT}.cmd.{noun}.request.{place}.{door}.{actor}"


def command(noun: str, verb: str, app: AppRef, *, node: str = "") -> str:
    """Name the subject of an order."""
    where = token(node) if node else ANY_NODE
    return f"{ROOT}.cmd.{noun}.{verb}.{token(app.cluster)}.{where}.{app_place(app)}"


def orders(noun: str, verb: str, *, cluster: str = "*", node: str = "*") -> str:
    """Name the filter for one kind of order, to all nodes or to one (`ANY_NODE` included)."""
    where = node if node in {"*", ANY_NODE} else token(node)
    return f"{ROOT}.cmd.{noun}.{verb}.{cluster if cluster == '*' else token(cluster)}.{where}.>"


def live(noun: str, app: AppRef) -> str:
    """Name the subject of something that may be lost."""
    return f"{ROOT}.live.{noun}.{place(app)}"


def log(run: str, service: str) -> str:
    """Name the subject of one service's log lines about a run."""
    return f"{ROOT}.log.{run}.{service}"


def lend(service: str, cluster: str = "*", node: str = "*") -> str:
    """Name the subject on which an agent asks for a key, or the filter for any agent."""
    return f"{ROOT}.lend.{service}.{_token_or_any(cluster)}.{_token_or_any(node)}"


def lent(service: str, cluster: str = "*", node: str = "*") -> str:
    """Name the subject on which an agent hears what it is lent, or the filter for any agent."""
    return f"{ROOT}.lent.{service}.{_token_or_any(cluster)}.{_token_or_any(node)}"


def signal(name: str) -> str:
    """Name the subject of a signal."""
    return f"{ROOT}.signal.{name}"


def timer(name: str) -> str:
    """Name the subject that holds a timer until it is due."""
    return f"{ROOT}.timer.{name}"


def due(name: str) -> str:
    """Name the subject on which a timer arrives when it is due."""
    return f"{ROOT}.due.{name}"


def audit(teller: str) -> str:
    """Name the subject on which a user of the bus tells what it saw somebody do."""
    return f"{ROOT}.audit.{teller}"


def dead(service: str) -> str:
    """Name the subject on which a service parks what it cannot handle."""
    return f"{ROOT}.dead.{service}"


def stored(stream: str, subject: str = "") -> str:
    """Name the subject on which a stream tells that it has stored something; empty: anything."""
    return f"{ROOT}.stored.{stream}.{subject or '>'}"


def matches(subject: str, pattern: str) -> bool:
    """Say whether a subject belongs to a pattern with `*` (one token) and `>` (the rest)."""
    tokens, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">":
        head = len(wanted) - 1
        return len(tokens) > head and all(map(_fits, tokens[:head], wanted[:head]))
    return len(tokens) == len(wanted) and all(map(_fits, tokens, wanted))


def place(app: AppRef) -> str:
    """Write an application's place as subject tokens."""
    return f"{token(app.cluster)}.{app_place(app)}"


def app_place(app: AppRef) -> str:
    """Write namespace and name of an application as subject tokens."""
    return f"{token(app.namespace)}.{token(app.name)}"


def _token_or_any(name: str) -> str:
    return name if name == "*" else token(name)


def _fits(token_text: str, wanted: str) -> bool:
    return wanted in ("*", token_text)
