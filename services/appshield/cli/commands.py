"""Every command: its name, its line of help, and where it is, which is imported when it is run."""

from cyclopts import App, Group

from appshield.cli.exits import exit_table

_PACKAGE = "appshield.cli"
_HELP = "Saves running Kubernetes applications hot, and brings a chosen version back."

_RUNNING = Group("Bring AppShield up", sort_key=1)
_PROTECTING = Group("Save and bring back", sort_key=2)
_LOOKING = Group("Look", sort_key=3)
_KEEPING = Group("Vaults and repair", sort_key=4)

_COMMANDS: tuple[tuple[Group, str, str, str], ...] = (
    (_RUNNING, "up", "installation:up", "Run AppShield on this machine against a cluster."),
    (_RUNNING, "web", "browser:web", "Open the web interface, logged in."),
    (_RUNNING, "down", "gates:down", "Take the gate out of the cluster, to stay stopped."),
    (
        _RUNNING,
        "demo",
        "demonstration:demo",
        "Set all up and prove the main job on a real cluster.",
    ),
    (_PROTECTING, "init", "starting:init", "Write a first document for a namespace."),
    (_PROTECTING, "apply", "applying:apply", "Check documents and put them into the cluster."),
    (_PROTECTING, "explain", "explaining:explain", "Show what a document means, and why."),
    (_PROTECTING, "validate", "validating:validate", "Check documents, in files or folders."),
    (_PROTECTING, "schema", "schemas:schema", "Print the JSON Schema of documents, for editors."),
    (_PROTECTING, "backup", "backups:backup", "Make a version of an application now."),
    (_PROTECTING, "gate", "gates:gate", "Save an application before a pipeline changes it."),
    (_PROTECTING, "restore", "restores:restore", "Bring a version back."),
    (_PROTECTING, "approve", "runs:approve", "Let a run begin that waits for approval."),
    (_PROTECTING, "cancel", "runs:cancel", "Stop a run; nothing of it stays behind."),
    (_PROTECTING, "pause", "pausing:pause", "Let nothing begin by itself for an application."),
    (_PROTECTING, "resume", "pausing:resume", "Let triggers act for an application again."),
    (_LOOKING, "apps", "applications:apps", "List applications."),
    (_LOOKING, "status", "applications:status", "Show one application."),
    (_LOOKING, "policies", "policies:policies", "List policies and what they match."),
    (_LOOKING, "profiles", "profiles:profiles", "List how each type of component is saved."),
    (_LOOKING, "profile", "profiles:profile", "Show one profile as a document."),
    (_LOOKING, "versions", "versions:versions", "List the versions of an application."),
    (_LOOKING, "version", "versions:version", "Show one version."),
    (_LOOKING, "revisions", "revisions:revisions", "List, show or compare what a document said."),
    (_LOOKING, "ls", "browsing:ls", "List what is in a version."),
    (_LOOKING, "find", "browsing:find", "Find files in one version or in all."),
    (_LOOKING, "diff", "comparing:diff", "Show what changed from one version to another."),
    (_LOOKING, "dump", "browsing:dump_path", "Write one file or folder of a version out."),
    (_LOOKING, "runs", "runs:runs", "List backups, restores and other runs."),
    (_LOOKING, "run", "runs:run", "Show one run, or wait for its end."),
    (_LOOKING, "logs", "logs:logs", "Show what the services logged about a run."),
    (_LOOKING, "events", "events:events", "Show what happened, or follow it."),
    (_LOOKING, "health", "own_health:health", "Show which services of AppShield are alive."),
    (_LOOKING, "report", "reporting:report", "Report which promises about recovery were kept."),
    (_KEEPING, "forget", "keeping:forget", "Let versions stop to exist."),
    (_KEEPING, "delete", "keeping:forget", "The same as `forget`."),
    (_KEEPING, "copy", "keeping:copy", "Copy a version into another Vault now."),
    (_KEEPING, "pin", "keeping:pin", "Keep a version whatever the rules say."),
    (_KEEPING, "unpin", "keeping:unpin", "Let the rules decide about a version again."),
    (
        _KEEPING,
        "rebuild-catalog",
        "vaults:rebuild_catalog",
        "Read a Vault and list again what is in it.",
    ),
)
_GROUPS: tuple[tuple[Group, str, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        _RUNNING,
        "cluster",
        "A real Kubernetes on this machine.",
        (
            ("up", "local_cluster:up", "Install, build and start what is missing."),
            ("down", "local_cluster:down", "Stop it and leave nothing behind but its data."),
            ("status", "local_cluster:status", "Show its components."),
        ),
    ),
    (
        _KEEPING,
        "vault",
        "The buckets that versions are kept in.",
        (
            ("add", "vaults:add", "Set a Vault up, in its bucket and in the cluster."),
            ("check", "vaults:check", "Try everything that AppShield needs from a Vault."),
            ("prune", "repositories:prune", "Remove what no version needs any more."),
            ("repair", "repairing:repair", "Heal what is damaged, from other Vaults."),
            ("stats", "repositories:stats", "Show what each application takes."),
            ("export-key", "vaults:export_key", "Print a Vault's root key, to be kept safe."),
            ("password", "vaults:password", "Print what a stock restic needs to read versions."),
        ),
    ),
    (
        _RUNNING,
        "bus-user",
        "Who else may ask on the message bus.",
        (
            ("add", "bus_users:add", "Add a user, or change what it may ask for."),
            ("list", "bus_users:show", "List them."),
            ("remove", "bus_users:remove", "Put a user out."),
        ),
    ),
    (
        _LOOKING,
        "audit",
        "Who did what, and whether the record is whole.",
        (
            ("list", "auditing:show", "Show who did what."),
            ("export", "auditing:export", "Write it as lines of JSON, as it is stored."),
            ("verify", "auditing:verify_chain", "See that nothing was changed or left out."),
        ),
    ),
    (
        _KEEPING,
        "dead",
        "Messages that could not be handled.",
        (
            ("list", "dead_letters:show", "List them."),
            ("replay", "dead_letters:replay", "Send some of them again."),
        ),
    ),
)


def _version() -> str:
    from importlib.metadata import version

    return version("appshield")


def command_line() -> App:
    """Build the tree of commands; none of their modules is imported."""
    root = App(
        name="appshield",
        help=_HELP,
        help_format="plaintext",
        help_epilogue=f"Exit codes:\n{exit_table()}",
        version=_version,
    )
    for group, name, place, text in _COMMANDS:
        root.command(f"{_PACKAGE}.{place}", name=name, help=text, group=group, help_epilogue="")
    for group, name, text, members in _GROUPS:
        sub = App(name=name, help=text, group=group, help_epilogue="")
        for member, place, line in members:
            sub.command(f"{_PACKAGE}.{place}", name=member, help=line)
        root.command(sub)
    root.register_install_completion_command(add_to_startup=False)
    return root
