"""Servers that profiles are proved against, as images from Debian's packages, and how they run."""

from dataclasses import dataclass, field

from appshield.local.demo import postgres_image
from appshield.local.demo.postgres_image import POSTGRES
from appshield.local.demo.recipe import File, Folder, ImageRecipe

_PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

REDIS = ImageRecipe(
    name="tests-redis",
    packages=("redis-server",),
    account="redis",
    user=100,
    group=101,
    entrypoint=("/usr/bin/redis-server",),
    add={"data": Folder()},
    environment={"PATH": _PATH},
    tags={"7": {}},
)

_START_MARIADB = """\
#!/bin/sh
set -eu
if [ ! -d /data/mysql ]; then
    rm -rf /data/new
    mariadb-install-db --no-defaults --datadir=/data/new --skip-test-db \\
        --auth-root-authentication-method=normal
    mv /data/new /data/mysql
fi
exec mariadbd --no-defaults --datadir=/data/mysql --socket=/run/mysqld/mysqld.sock \\
    --pid-file=/run/mysqld/mysqld.pid
"""
MARIADB = ImageRecipe(
    name="tests-mariadb",
    packages=("mariadb-server-core", "mariadb-client"),
    account="mysql",
    user=100,
    group=101,
    entrypoint=("/usr/local/bin/entrypoint",),
    without=("usr/lib/*-linux-gnu/libLLVM*",),
    add={
        "usr/local/bin/entrypoint": File(content=_START_MARIADB, mode=0o755),
        "run/mysqld": Folder(),
        "data": Folder(),
    },
    environment={"PATH": _PATH},
    tags={"10": {}},
)


@dataclass(frozen=True)
class Server:
    """A server that keeps rows, and the shell commands that a test needs of it.

    `write` stores the number in `$n` and succeeds when the server has acknowledged it; `rows`
    writes all numbers in the order in which they were stored; `accounts` writes who may log in.
    """

    recipe: ImageRecipe
    mount: str
    ready: str
    prepare: str
    write: str
    rows: str
    accounts: str
    arguments: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


POSTGRESQL_SERVER = Server(
    recipe=POSTGRES,
    mount=postgres_image.DATA_MOUNT,
    folders=(postgres_image.SOCKET_FOLDER,),
    environment={"POSTGRES_PASSWORD": "of the test"},
    ready="pg_isready --quiet",
    prepare=(
        "psql -X -q -d postgres -c \"create role clerk login password 'secret'\""
        " -c 'create role \"Odd-Name\" nologin' -c 'create database shop owner clerk'"
        " && psql -X -q -d shop -U clerk -c 'create table rows (n bigint primary key)'"
    ),
    write='psql -X -q -d shop -U clerk -c "insert into rows values ($n)"',
    rows="psql -X -q -A -t -d shop -U clerk -c 'select n from rows order by n'",
    accounts=(
        'psql -X -q -A -t -d postgres -c "select rolname, rolcanlogin, rolsuper, rolpassword'
        " from pg_authid where rolname !~ '^pg_' order by rolname\""
    ),
)
REDIS_SERVER = Server(
    recipe=REDIS,
    mount="/data",
    arguments=("--dir", "/data", "--save", "", "--appendonly", "no"),
    ready='test "$(redis-cli ping)" = PONG',
    prepare="true",
    write='test "$(redis-cli rpush rows $n)" = $n',
    rows="redis-cli lrange rows 0 -1",
    accounts="redis-cli acl list",
)
MARIADB_SERVER = Server(
    recipe=MARIADB,
    mount="/data",
    folders=("/run/mysqld", "/tmp"),
    ready="mariadb -u root -e 'select 1'",
    prepare=(
        'mariadb -u root -e "create database shop; create user clerk@localhost identified by'
        " 'secret'; grant all on shop.* to clerk@localhost;"
        ' create table shop.numbers (n bigint primary key) engine=innodb"'
    ),
    write=('mariadb -u clerk --password=secret shop -e "insert into numbers values ($n)"'),
    rows="mariadb -u clerk --password=secret -N -B shop -e 'select n from numbers order by n'",
    accounts=(
        "mariadb -u root -N -B -e 'select user, host, authentication_string from mysql.user"
        " order by 1, 2'"
    ),
)
