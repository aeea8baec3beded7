"""Which cluster is meant, and what is said when that cannot be told."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from appshield.errors import AppShieldError, DeniedError, InvalidInputError, UnavailableError
from appshield.kubernetes import Cluster, ClusterAccess, kinds, with_token_file
from fake_kubernetes import FakeKubernetes


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def kubeconfig(
    path: Path, server: str, user: dict[str, Any], *, cluster: str = "c", **more: str
) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **more}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "work", "context": {"cluster": cluster, "user": "u"}}],
        "current-context": "work",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return str(path)


async def failure(access: ClusterAccess) -> AppShieldError:
    with pytest.raises(AppShieldError) as caught:
        async with Cluster.connect(access):
            pass
    return caught.value


async def test_a_missing_file_is_named() -> None:
    """The path is in the error."""
    error = await failure(ClusterAccess(kubeconfig="/nowhere/config"))
    assert isinstance(error, InvalidInputError)
    assert "there is no kubeconfig /nowhere/config" in str(error)


async def test_without_anything_the_default_file_is_looked_for() -> None:
    """No pod, no variable: the file that kubectl reads."""
    assert "there is no kubeconfig ~/.kube/config" in str(await failure(ClusterAccess()))


async def test_the_variable_wins_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """KUBECONFIG is honoured, several files included."""
    async with FakeKubernetes() as fake:
        monkeypatch.setenv("KUBECONFIG", f"/nowhere/config:{fake.kubeconfig}")
        async with Cluster.connect(ClusterAccess()) as cluster:
            assert await cluster.uid()
        async with Cluster.connect(ClusterAccess(context="fake")) as cluster:
            assert await cluster.uid()


async def test_an_unknown_context_lists_the_known_ones(tmp_path: Path) -> None:
    """The reader learns what to choose from."""
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {})
    error = await failure(ClusterAccess(kubeconfig=path, context="play"))
    assert isinstance(error, InvalidInputError)
    assert f"kubeconfig {path} has no context play: it has work" in str(error)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "{}"])
async def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    """Any file can be named by mistake."""
    path = tmp_path / "config"
    path.write_text(text)
    error = await failure(ClusterAccess(kubeconfig=str(path)))
    assert isinstance(error, InvalidInputError)
    assert str(path) in str(error)


async def test_a_server_that_is_not_there_is_named_with_file_and_context(tmp_path: Path) -> None:
    """All three are needed to find the mistake."""
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {})
    error = await failure(ClusterAccess(kubeconfig=path))
    assert isinstance(error, UnavailableError)
    for part in ("http://127.0.0.1:1", path, "context work"):
        assert part in str(error)


async def test_no_error_quotes_a_token(tmp_path: Path) -> None:
    """A kubeconfig with a hole is refused without showing what is beside it."""
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {"token": "planted"}, cluster="no")
    error = await failure(ClusterAccess(kubeconfig=path))
    assert "planted" not in str(error)
    assert error.__cause__ is None


async def test_a_certificate_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    """A file that the kubeconfig names must exist."""
    path = kubeconfig(
        tmp_path / "config", "https://127.0.0.1:1", {}, **{"certificate-authority": "ca.crt"}
    )
    assert isinstance(await failure(ClusterAccess(kubeconfig=path)), InvalidInputError)


async def test_a_failing_credential_plugin_is_told(tmp_path: Path) -> None:
    """Plugins log in; their words may hold secrets."""
    plugin = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", "echo planted >&2; exit 1"],
        }
    }
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", plugin)
    error = await failure(ClusterAccess(kubeconfig=path))
    assert "credential plugin failed" in str(error)
    assert "planted" not in str(error)


async def test_a_token_file_that_rotates_is_read_again(tmp_path: Path) -> None:
    """A refused token makes the file be read anew, at once."""
    token = tmp_path / "token"
    token.write_text("fake-token")
    async with FakeKubernetes() as fake:
        server = f"http://127.0.0.1:{fake.port}"
        path = kubeconfig(tmp_path / "config", server, {"tokenFile": str(token)})
        async with Cluster.connect(ClusterAccess(kubeconfig=path)) as cluster:
            fake.token = "second-token"
            with pytest.raises(DeniedError):
                await cluster.get(kinds.NAMESPACE, "default")
            token.write_text("second-token")
            assert await cluster.get(kinds.NAMESPACE, "default") is not None


async def test_in_a_pod_its_own_account_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig, a pod without a token says what it lacks."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    error = await failure(ClusterAccess())
    assert isinstance(error, InvalidInputError)
    assert "this runs in a pod that may not talk to the API server" in str(error)


async def test_the_holder_of_a_token_reaches_the_same_cluster(tmp_path: Path) -> None:
    """By a file of its own, which names the token's; authorities are found from elsewhere, too."""
    path = kubeconfig(
        tmp_path / "one" / "config",
        "https://127.0.0.1:1",
        {"token": "of an administrator"},
        **{"certificate-authority": "ca.crt"},
    )
    made = with_token_file(ClusterAccess(kubeconfig=path), tmp_path / "token")
    [cluster] = made["clusters"]
    assert cluster["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority": str(tmp_path / "one" / "ca.crt"),
    }
    assert made["users"] == [{"name": "account", "user": {"tokenFile": str(tmp_path / "token")}}]
    assert "administrator" not in yaml.safe_dump(made)


def test_a_context_whose_cluster_is_not_there_is_told(tmp_path: Path) -> None:
    """Nobody is sent to another cluster instead."""
    path = kubeconfig(tmp_path / "config", "https://127.0.0.1:1", {}, cluster="gone")
    with pytest.raises(InvalidInputError, match="has no cluster gone: context work names it"):
        with_token_file(ClusterAccess(kubeconfig=path), tmp_path / "token")
