"""Rules between fields that the API server checks itself: CEL in the definitions, by type.

They say in advance, to whoever uses kubectl, what `checking` says of files; both refuse the same.
What CEL cannot say cheaply (a schedule that never comes, time zones) is `checking`'s alone.
"""

from typing import NamedTuple

from appshield.language.checking import ACTIONS, STATES
from appshield.language.checking_protection import BELONGS_TO, COUNTS, TRIGGERS
from appshield.language.resolved import DATABASE_PREFIX


class Rule(NamedTuple):
    """An expression that must hold, and what the API server says where it does not."""

    rule: str
    message: str


def _exactly_one(names: tuple[str, ...], what: str) -> Rule:
    given = ", ".join(f"has(self.{name})" for name in names)
    return Rule(
        f"[{given}].filter(given, given).size() == 1",
        f"exactly one {what} must be given: {', '.join(names)}",
    )


def _only_with(field: str, owner: str) -> Rule:
    return Rule(
        f"!has(self.{field}) || has(self.{owner})",
        f"{field} belongs to a {owner}: add {owner} or remove {field}",
    )


_KEPT = " || ".join(f"(has(self.{count}) && self.{count} > 0)" for count in COUNTS)
_PAIRS = (
    Rule("!has(self.quiesce) || has(self.resume)", "a quiesce needs a resume"),
    Rule("!has(self.dump) || has(self.load)", "a dump needs a load"),
)
_NEVER_CHANGES = Rule(
    "self == oldSelf", "a wish never changes: delete this object and create another one"
)
_OWN_WORKLOAD = Rule(
    "!has(self.components) || self.components.all(one, self.components.exists_one(other, "
    "one.workload.kind == other.workload.kind && one.workload.name == other.workload.name))",
    "give each workload to one component",
)
_DATA_OF = Rule(
    "!has(self.components) || self.components.all(one, !has(one.dataOf) || "
    "(one.dataOf != one.name && self.components.exists(other, other.name == one.dataOf) && "
    "(!has(one.strategy) || one.strategy == 'none')))",
    "dataOf names another component, and such a component saves nothing: strategy none",
)
_NOT_LIVE = Rule(
    "!has(self.components) || self.components.all(one, "
    "!(has(one.profile) ? one.profile : has(self.type) ? self.type : '')"
    f".startsWith('{DATABASE_PREFIX}') || "
    "!has(one.volumes) || !has(one.volumes.method) || one.volumes.method != 'files' || "
    "(has(one.strategy) && one.strategy in ['dump', 'none']) || "
    "(has(one.allowLive) && one.allowLive))",
    "a database's files would be read while it writes: use snapshot or auto, add a dump, or say "
    "allowLive: true",
)

RULES: dict[str, tuple[Rule, ...]] = {
    "Trigger": (
        _exactly_one(TRIGGERS, "trigger"),
        *(_only_with(field, owner) for field, owner in BELONGS_TO.items()),
        Rule("!has(self.manual) || self.manual", "manual: false means nothing, write true"),
    ),
    "Action": (_exactly_one(ACTIONS, "action"),),
    "NotifyAction": (
        Rule("has(self.signal) || has(self.webhook)", "notify tells nobody: add signal or webhook"),
        Rule(
            "!has(self.webhook) || self.webhook.matches('^https?://[^/?#@]+([/?#].*)?$')",
            "webhook is an http or https address, without user and password",
        ),
        Rule(
            "!has(self.secret) || has(self.webhook)",
            "secret signs nothing, as there is no webhook: remove secret",
        ),
    ),
    "Protection": (
        Rule("has(self.on) != has(self.__true__)", "on, which starts a backup, must be given once"),
        Rule(
            "!has(self.keepIn) || !has(self.targets) || self.targets.size() == 0 || "
            "self.keepIn.all(vault, vault in self.targets)",
            "keepIn names a Vault that is no target of the rule",
        ),
    ),
    "Keep": (Rule(f"{_KEPT} || has(self.within)", "keep must keep something"),),
    "Requirement": (
        Rule(
            "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : "
            "!has(self.values) || self.values.size() == 0",
            "In and NotIn need values, Exists and DoesNotExist take none",
        ),
    ),
    "HealthOfKind": (
        Rule(
            " || ".join(f"has(self.{state})" for state in STATES),
            f"health of a kind says nothing: add {', '.join(STATES)}",
        ),
    ),
    "Component": _PAIRS,
    "ProfileSpec": (
        *_PAIRS,
        Rule(
            "!has(self.strategy) || self.strategy != 'dump' || has(self.dump)",
            "strategy dump needs a dump",
        ),
    ),
    "ApplicationSpec": (_OWN_WORKLOAD, _DATA_OF, _NOT_LIVE),
    "PolicySpec": (
        Rule(
            "(has(self.protect) && self.protect.size() > 0) || "
            "(has(self.react) && self.react.size() > 0) || "
            "has(self.verify) || "
            "(has(self.alerts) && (has(self.alerts.rpo) || has(self.alerts.rto)))",
            "a policy must do something: add protect, react, verify or alerts",
        ),
    ),
    "VaultSpec": (
        Rule(
            "self.endpoint.matches('^https?://[^/?#@]+/*$')",
            "endpoint is the http or https address of a store, without user, path or query",
        ),
        Rule(
            "!has(self.prefix) || !self.prefix.split('/').exists(part, part in ['.', '..'])",
            "prefix holds . or ..",
        ),
        Rule(
            "!has(self.objectLock) || !has(self.readOnly) || !self.readOnly",
            "objectLock keeps nothing: the Vault is read only",
        ),
    ),
    "BackupSpec": (_NEVER_CHANGES,),
    "RestoreSpec": (_NEVER_CHANGES,),
}
