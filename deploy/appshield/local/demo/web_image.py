"""The web service of the demo as an image: Debian's Python and one program, in two versions."""

from pathlib import Path

from appshield.local.demo.recipe import File, Folder, ImageRecipe

USER = 1000
GROUP = 1000
PORT = 8080
UPLOADS_MOUNT = "/srv/uploads"
SETTINGS_MOUNT = "/etc/shop"

_PROGRAM = "usr/local/lib/shop/web_service.py"

WEB = ImageRecipe(
    name="shop-web",
    packages=("python3", "python3-psycopg2"),
    account="web",
    user=USER,
    group=GROUP,
    entrypoint=("/usr/bin/python3", "-B", f"/{_PROGRAM}"),
    without=(
        "usr/bin/*dpkg*",
        "usr/bin/p*3clean",
        "usr/bin/pdb3*",
        "usr/bin/py*doc3*",
        "usr/bin/py3compile",
        "usr/lib/python3.11/ctypes/test",
        "usr/lib/python3.11/pydoc_data",
        "usr/lib/python3.11/test",
        "usr/lib/python3.11/unittest",
    ),
    add={
        _PROGRAM: File(content=Path(__file__).with_name("web_service.py").read_text()),
        UPLOADS_MOUNT[1:]: Folder(),
        SETTINGS_MOUNT[1:]: Folder(),
    },
    environment={
        "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONUNBUFFERED": "1",
        "PORT": str(PORT),
        "SETTINGS": SETTINGS_MOUNT,
        "UPLOADS": UPLOADS_MOUNT,
    },
    tags={"1": {"VERSION": "1"}, "2": {"VERSION": "2"}},
)
