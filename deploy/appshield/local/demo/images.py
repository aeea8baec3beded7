"""The images of the demo application: built once from Debian packages, kept, and pushed.

An image is kept as the three blobs that a registry wants, in a folder whose name says what it was
made of; a folder appears there whole or not at all.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from appshield.errors import RefusedError
from appshield.local.cluster.images import Image, build_image, push_image
from appshield.local.demo.debian import add_user, unpack_packages
from appshield.local.demo.postgres_image import POSTGRES
from appshield.local.demo.recipe import File, ImageRecipe
from appshield.local.demo.web_image import WEB


class ShopImages(msgspec.Struct, frozen=True, kw_only=True):
    """The images that the application needs, as references by digest."""

    database: str
    web_1: str
    web_2: str


async def push_shop_images(
    registry: str, *, cache: Path, report: Callable[[str], None], may_build: bool = True
) -> ShopImages:
    """Push the application's images to `registry`, building first what `cache` does not hold.

    `registry` is `host:port`; `report` gets one line before anything is fetched or built.

    Raises:
        RefusedError: an image is not there and `may_build` is false, or this is not root.
        NotFoundError, RunFailedError: Debian's packages cannot be had.
        UnavailableError: the registry cannot be reached.
    """
    making = (
        asyncio.to_thread(_kept, recipe, cache, report, may_build=may_build)
        for recipe in (POSTGRES, WEB)
    )
    # Both come to their end even if one fails: what is finished is kept.
    made = await asyncio.gather(*making, return_exceptions=True)
    (postgres,), (web_1, web_2) = (_made(images) for images in made)
    return ShopImages(
        database=await push_image(postgres, registry),
        web_1=await push_image(web_1, registry),
        web_2=await push_image(web_2, registry),
    )


def _kept(
    recipe: ImageRecipe, cache: Path, report: Callable[[str], None], *, may_build: bool
) -> list[Image]:
    """Return the recipe's image of each tag, from the cache if it is there."""
    folder = cache / recipe.key()
    if not folder.exists():
        _check_may_build(recipe, allowed=may_build)
        report(f"Building the image {recipe.name} from the Debian packages {_list(recipe)}")
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{recipe.name}-", dir=cache))
        try:
            _build(recipe, rootfs=work / "rootfs", images=work / "images")
            _publish(work / "images", folder)
        finally:
            shutil.rmtree(work)
    return [_load(recipe.name, tag, folder / tag) for tag in sorted(recipe.tags)]


def _made(images: list[Image] | BaseException) -> list[Image]:
    if isinstance(images, BaseException):
        raise images
    return images


def _list(recipe: ImageRecipe) -> str:
    return ", ".join(recipe.packages)


def _check_may_build(recipe: ImageRecipe, *, allowed: bool) -> None:
    what = f"the image {recipe.name} is not built yet"
    if not allowed:
        raise RefusedError(
            what,
            why="building and installing is switched off",
            next_step="Unset APPSHIELD_NO_INSTALL and try again",
        )
    if os.geteuid() != 0:
        raise RefusedError(
            what,
            why="unpacking a root file system needs root",
            next_step="Run the demo as root once; later runs use what it keeps",
        )


def _build(recipe: ImageRecipe, *, rootfs: Path, images: Path) -> None:
    unpack_packages(recipe.packages, rootfs, without=recipe.without)
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


def _add(path: Path, addition: object, recipe: ImageRecipe) -> None:
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


def _load(name: str, tag: str, folder: Path) -> Image:
    config, layer, manifest = (
        (folder / blob).read_bytes() for blob in ("config", "layer", "manifest")
    )
    return Image(name=name, tag=tag, config=config, layer=layer, manifest=manifest)


def _publish(built: Path, folder: Path) -> None:
    """Give the finished folder its name; another builder may have been first."""
    try:
        built.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
