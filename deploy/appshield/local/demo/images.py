"""The images of the demo application: built once from Debian packages, kept, and pushed.

An image is kept as the three blobs that a registry wants, in a folder whose name says what it was
made of; such a folder appears whole or not at all.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from appshield.errors import RefusedError
from appshield.local.cluster.building import Report, ensure_packages
from appshield.local.cluster.images import Image, build_image, push_image
from appshield.local.cluster.locking import locked
from appshield.local.demo.debian import TOOL, add_user, unpack_packages
from appshield.local.demo.postgres_image import POSTGRES
from appshield.local.demo.recipe import File, Folder, ImageRecipe
from appshield.local.demo.web_image import WEB
from appshield.service import together

BUILD_DEADLINE_S = 900.0
"""How long to wait for another process that builds the same image."""


class ShopImages(msgspec.Struct, frozen=True, kw_only=True):
    """The images that the application needs, as references by digest."""

    database: str
    web_1: str
    web_2: str


async def push_shop_images(
    registry: str, *, cache: Path, report: Report, may_build: bool = True
) -> ShopImages:
    """Push the application's images to `registry`, building first what `cache` does not hold.

    `registry` is `host:port`; `report` gets one line before anything is installed or built.

    Raises:
        RefusedError: an image is not there and `may_build` is false, or this is not root.
        NotFoundError, RunFailedError, DeadlineError: Debian's packages cannot be had.
        UnavailableError: the registry cannot be reached.
    """
    await build_images((POSTGRES, WEB), cache=cache, report=report, may_build=may_build)
    return ShopImages(
        database=await push_built(POSTGRES, "15", registry, cache=cache),
        web_1=await push_built(WEB, "1", registry, cache=cache),
        web_2=await push_built(WEB, "2", registry, cache=cache),
    )


async def build_images(
    recipes: Sequence[ImageRecipe], *, cache: Path, report: Report, may_build: bool = True
) -> None:
    """Build what `cache` does not hold of the images of these recipes.

    Raises:
        RefusedError: an image is not there and `may_build` is false, or this is not root.
        NotFoundError, RunFailedError, DeadlineError: Debian's packages cannot be had.
    """
    missing = [recipe for recipe in recipes if not (cache / recipe.key()).is_dir()]
    if missing:
        _check_may_build(missing, allowed=may_build)
        await ensure_packages({TOOL: TOOL}, report)
        await together(_build(recipe, cache, report) for recipe in missing)


async def push_built(recipe: ImageRecipe, tag: str, registry: str, *, cache: Path) -> str:
    """Push an image that was built; return its reference by digest.

    Raises:
        UnavailableError: the registry cannot be reached.
    """
    return await push_image(_load(recipe, tag, cache), registry)


def _check_may_build(recipes: list[ImageRecipe], *, allowed: bool) -> None:
    what = f"{', '.join(recipe.name for recipe in recipes)}: these images are not built yet"
    if not allowed:
        raise RefusedError(
            what,
            why="APPSHIELD_NO_INSTALL=1 forbids to install and build",
            next_step="Unset it and try again",
        )
    if os.geteuid() != 0:
        raise RefusedError(
            what,
            why="unpacking a root file system needs root",
            next_step="Run the demo as root once; later runs use what it keeps",
        )


async def _build(recipe: ImageRecipe, cache: Path, report: Report) -> None:
    """Build all images of a recipe, unless another process has done so meanwhile."""
    folder, work = cache / recipe.key(), cache / f"building-{recipe.name}"
    async with locked(cache / f"{recipe.name}.lock", timeout_s=BUILD_DEADLINE_S):
        if folder.is_dir():
            return
        packages = ", ".join(recipe.packages)
        report(f"Building the image {recipe.name} from the Debian packages {packages} (once)")
        shutil.rmtree(work, ignore_errors=True)  # of a build that was killed
        try:
            await unpack_packages(recipe.packages, work / "rootfs", without=recipe.without)
            await asyncio.to_thread(_finish, recipe, work / "rootfs", work / "images")
            (work / "images").rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _finish(recipe: ImageRecipe, rootfs: Path, images: Path) -> None:
    """Add what is the recipe's own, and write the image of each tag into a folder."""
    add_user(rootfs, recipe.account, user=recipe.user, group=recipe.group)
    for name, addition in recipe.add.items():
        _add(rootfs / name, addition, recipe)
    for tag, environment in recipe.tags.items():
        image = build_image(
            rootfs,
            name=recipe.name,
            tag=tag,
            entrypoint=recipe.entrypoint,
            env={**recipe.environment, **environment},
            user=f"{recipe.user}:{recipe.group}",
        )
        _store(image, images / tag)


def _add(path: Path, addition: File | Folder, recipe: ImageRecipe) -> None:
    if isinstance(addition, File):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(addition.content)
        path.chmod(addition.mode)
    else:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, recipe.user, recipe.group)


def _store(image: Image, folder: Path) -> None:
    folder.mkdir(parents=True)
    for blob in ("config", "layer", "manifest"):
        (folder / blob).write_bytes(getattr(image, blob))


def _load(recipe: ImageRecipe, tag: str, cache: Path) -> Image:
    folder = cache / recipe.key() / tag
    config, layer, manifest = (
        (folder / blob).read_bytes() for blob in ("config", "layer", "manifest")
    )
    return Image(name=recipe.name, tag=tag, config=config, layer=layer, manifest=manifest)
