"""What is probably not meant among documents: names that lead nowhere, and what nobody gets."""

from appshield.language.advising_together import (
    Place,
    Surroundings,
    Workload,
    advise_together,
)
from appshield.language.kinds import Resource
from appshield.language.reading import read_documents

HEAD = "apiVersion: appshield.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
SECRETS = "credentialsSecret: {namespace: a, name: b}, keySecret: {namespace: a, name: b}"
RULE = "{name: a, on: {rpo: 1h}}"


def _document(kind: str, name: str, spec: str) -> Resource:
    (read,) = read_documents(HEAD.format(kind=kind, name=name, spec=spec), "a.yaml")
    return read.resource


def _vault(name: str) -> Resource:
    return _document("Vault", name, f"{{endpoint: 'https://a.org', bucket: abc, {SECRETS}}}")


def _policy(match: str) -> Resource:
    return _document("Policy", "all", f'{{match: "{match}", protect: [{RULE}]}}')


def _warned(*documents: Resource, around: Surroundings | None = None) -> list[str]:
    found = advise_together(documents, around or Surroundings())
    return [f"{advice.document} {advice.problem}" for advice in found]


SHOP = _document("Application", "shop", f"{{type: web, protect: [{RULE}]}}")


def test_an_object_that_is_given_twice_is_warned_of() -> None:
    """By kind, namespace and name; the second is where it is said."""
    assert _warned(SHOP, _vault("shop")) == []
    (warning,) = _warned(SHOP, SHOP)
    assert warning.startswith("1 metadata.name: Application shop was given before")


def test_a_target_without_a_vault_is_warned_of_where_vaults_are_known() -> None:
    """The Vault `primary` is set up with AppShield itself and in no file."""
    spec = f"{{targets: [primary, ofsite], protect: [{RULE}]}}"
    shop = _document("Application", "shop", spec)
    assert _warned(shop) == []
    (warning,) = _warned(shop, _vault("offsite"))
    assert warning == "0 spec.targets[1]: there is no Vault ofsite; did you mean offsite?"
    (warning,) = _warned(shop, around=Surroundings(cluster=True))
    assert warning.startswith("0 spec.targets[1]: there is no Vault ofsite; add one")
    assert _warned(shop, around=Surroundings(cluster=True, resources=(_vault("ofsite"),))) == []


def test_a_policy_that_nobody_gets_is_warned_of() -> None:
    """Only where there are applications to compare it with, in the files or in the cluster."""
    policy = _policy("app.type == 'database'")
    assert _warned(policy) == []
    (warning,) = _warned(SHOP, policy)
    assert warning.startswith("1 spec.match: matches none of the 1 applications that are known")
    database = _document("Application", "db", "{type: database}")
    assert _warned(SHOP, database, policy) == []
    assert _warned(policy, around=Surroundings(cluster=True, resources=(database,))) == []


def test_a_policy_that_reads_what_no_document_says_is_not_warned_of() -> None:
    """The labels of a namespace and the sizes of volumes are only known in the cluster."""
    for match in ("app.namespaceLabels.team == 'a'", "app.volumes.size() > 3"):
        assert _warned(SHOP, _policy(match)) == []


def test_an_application_that_nothing_saves_is_warned_of() -> None:
    """Where policies are known and none of them reaches it."""
    bare = _document("Application", "bare", "{type: web}")
    assert _warned(bare) == []
    (warning,) = _warned(bare, around=Surroundings(cluster=True))
    assert warning.startswith("0 spec: is saved by nothing but a request")
    policy = _policy("app.type == 'web'")
    assert _warned(bare, policy) == []


def test_a_workload_that_is_not_there_is_warned_of_where_the_cluster_was_looked_at() -> None:
    """With the nearest name of the same kind."""
    component = "{name: db, workload: {kind: StatefulSet, name: databse}}"
    shop = _document("Application", "shop", f"{{components: [{component}], protect: [{RULE}]}}")
    assert _warned(shop) == []
    there = Workload("StatefulSet", Place("shop", "database"))
    around = Surroundings(cluster=True, namespace="shop", workloads=frozenset({there}))
    (warning,) = _warned(shop, around=around)
    assert warning == (
        "0 spec.components[0].workload: namespace shop has no StatefulSet databse; "
        "did you mean database?"
    )


def test_a_backup_of_an_unknown_application_is_warned_of() -> None:
    """A restore is not: the application may be gone."""
    backup = _document("Backup", "now", "{application: shopp}")
    assert _warned(backup, SHOP) == []
    (warning,) = _warned(backup, SHOP, around=Surroundings(cluster=True))
    assert warning.startswith("0 spec.application: namespace default has no Application shopp")
    restore = _document("Restore", "back", "{application: gone, version: last-good}")
    assert _warned(restore, around=Surroundings(cluster=True)) == []
