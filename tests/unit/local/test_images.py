"""Images are made of plain bytes and are the same every time."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

from appshield.local.cluster.images import Image, Symlink, build_image


def entries(image: Image) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.layer))) as tar:
        return tar.getmembers()


def folder(root: Path) -> Path:
    (root / "bin").mkdir()
    (root / "bin" / "tool").write_bytes(b"tool")
    (root / "bin" / "tool").chmod(0o750)
    (root / "bin" / "alias").symlink_to("tool")
    os.link(root / "bin" / "tool", root / "zz-same")
    (root / "a").write_bytes(b"a")
    return root


def test_the_same_files_make_the_same_digest_whenever_they_were_written(tmp_path: Path) -> None:
    """Neither times nor the order of creation reach the image."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    folder(first)
    folder(second)
    os.utime(second / "a", (1, 1))
    assert (
        build_image(first, name="x", tag="1").digest
        == build_image(second, name="x", tag="2").digest
    )


def test_a_folder_keeps_modes_and_links(tmp_path: Path) -> None:
    """What a program sees in the container is what lay in the folder."""
    found = {
        entry.name: entry for entry in entries(build_image(folder(tmp_path), name="x", tag="1"))
    }
    assert list(found) == ["a", "bin", "bin/alias", "bin/tool", "zz-same"]
    assert found["bin/tool"].mode == 0o750
    assert found["bin/alias"].issym()
    assert found["bin/alias"].linkname == "tool"
    assert found["zz-same"].islnk()
    assert {entry.mtime for entry in found.values()} == {0}


def test_a_mapping_becomes_files_with_their_folders() -> None:
    """Parents come before children; contents may be links."""
    image = build_image({"/bin/busybox": b"#!", "bin/sh": Symlink("busybox")}, name="x", tag="1")
    found = entries(image)
    assert [(entry.name, entry.mode) for entry in found] == [
        ("bin", 0o755),
        ("bin/busybox", 0o755),
        ("bin/sh", 0o777),
    ]


def test_the_configuration_says_how_to_run_it() -> None:
    """Everything a container runtime needs is in the config blob."""
    image = build_image(
        {"/app": b"x"},
        name="x",
        tag="1",
        entrypoint=["/app"],
        cmd=["serve"],
        env={"B": "2", "A": "1"},
        user="100:102",
        workdir="/data",
        exposed=[80],
    )
    config = json.loads(image.config)
    assert config["config"] == {
        "Cmd": ["serve"],
        "Entrypoint": ["/app"],
        "Env": ["A=1", "B=2"],
        "ExposedPorts": {"80/tcp": {}},
        "User": "100:102",
        "WorkingDir": "/data",
    }
    manifest = json.loads(image.manifest)
    assert manifest["layers"][0]["size"] == len(image.layer)
