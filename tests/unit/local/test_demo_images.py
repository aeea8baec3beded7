"""The images of the demo: what decides whether one is built again, and when it is not."""

from pathlib import Path

import msgspec
import pytest

from appshield.errors import RefusedError
from appshield.local.demo.images import push_shop_images
from appshield.local.demo.postgres_image import POSTGRES
from appshield.local.demo.recipe import ImageRecipe
from appshield.local.demo.web_image import WEB


def test_a_changed_recipe_is_another_image() -> None:
    """A kept image is used only for exactly what it was made of."""
    other = msgspec.structs.replace(WEB, packages=(*WEB.packages, "tzdata"))
    assert WEB.key() == ImageRecipe.key(WEB)
    assert len({WEB.key(), other.key(), POSTGRES.key()}) == 3


def test_the_two_versions_of_the_web_image_differ() -> None:
    """A change of the image is real: other configuration, so another digest."""
    assert dict(WEB.tags) == {"1": {"VERSION": "1"}, "2": {"VERSION": "2"}}


async def test_nothing_is_built_when_building_is_switched_off(tmp_path: Path) -> None:
    """It is refused with the way out, before anything is fetched."""
    said: list[str] = []
    with pytest.raises(RefusedError, match="APPSHIELD_NO_INSTALL"):
        await push_shop_images("127.0.0.1:1", cache=tmp_path, report=said.append, may_build=False)
    assert said == []
