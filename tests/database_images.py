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


# Speaks the protocol of NATS by itself: Debian has the server, and no client that stays small.
_ASK_NATS = """\
#!/bin/bash
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/4222
ask() {
    printf 'PUB %s answers %d\\r\\n%s\\r\\n' "$1" "${#2}" "$2" >&3
    hear
}
write() {  # a row that is written again after its answer was lost is the same row
    local name=$'NATS/1.0\\r\\nNats-Msg-Id: '"$1"$'\\r\\n\\r\\n'
    printf 'HPUB rows answers %d %d\\r\\n%s%s\\r\\n' \\
        "${#name}" "$((${#name} + ${#1}))" "$name" "$1" >&3
    hear
}
hear() {
    while read -r -u 3 word _; do [ "$word" = MSG ] && break; done
    read -r -u 3 answer
    answer=${answer%$'\\r'}
}
part() { sed -n "s/.*\\"$1\\":\\"\\{0,1\\}\\([^,}\\"]*\\).*/\\1/p" <<<"$answer"; }
printf 'CONNECT {"verbose":false,"headers":true}\\r\\nSUB answers 1\\r\\n' >&3
case "$1" in
    ready) ask '$JS.API.INFO' ''; grep -q '"limits"' <<<"$answer" ;;
    prepare)
        ask '$JS.API.STREAM.CREATE.rows' '{"name":"rows","subjects":["rows"],"storage":"file"}'
        grep -q '"did_create":true' <<<"$answer" ;;
    write) write "$2"; [ "$(part seq)" = "$2" ] ;;
    rows)
        ask '$JS.API.STREAM.INFO.rows' ''; last=$(part last_seq)
        for ((at = 1; at <= last; at++)); do
            ask '$JS.API.STREAM.MSG.GET.rows' "{\\"seq\\":$at}"
            part data | base64 -d; echo
        done ;;
esac
"""
NATS = ImageRecipe(
    name="tests-nats",
    packages=("nats-server", "bash"),
    account="nats",
    user=100,
    group=101,
    entrypoint=("/usr/sbin/nats-server",),
    add={"usr/local/bin/ask": File(content=_ASK_NATS, mode=0o755), "data": Folder()},
    environment={"PATH": _PATH},
    tags={"2.9": {}},
)

_NGINX = """\
daemon off;
pid /data/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /data/incoming;
    proxy_temp_path /data/incoming;
    fastcgi_temp_path /data/incoming;
    uwsgi_temp_path /data/incoming;
    scgi_temp_path /data/incoming;
    server {
        listen 8080;
        root /data/files;
        create_full_put_path on;
        dav_methods PUT;
        location = /ready { return 204; }
    }
}
"""
NGINX = ImageRecipe(
    name="tests-nginx",
    packages=("nginx", "curl"),
    account="web",
    user=100,
    group=101,
    entrypoint=("/usr/sbin/nginx", "-c", "/etc/shop.conf"),
    add={"etc/shop.conf": File(content=_NGINX), "data": Folder()},
    environment={"PATH": _PATH},
    tags={"1": {}},
)


@dataclass(frozen=True)
class Server:
    """A server that keeps rows, and the shell commands that a test needs of it.

    `write` stores the number in `$n` and succeeds when the server has acknowledged it; `rows`
    writes all numbers in the order in which they were stored; `accounts` writes who may log in.
    `consistency` is what its profile promises.
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
    consistency: str = "application"


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
NATS_SERVER = Server(
    recipe=NATS,
    mount="/data",
    arguments=("-js", "-sd", "/data"),
    ready="ask ready",
    prepare="ask prepare",
    write="ask write $n",
    rows="ask rows",
    accounts="true",
    consistency="crash-group",
)
NGINX_SERVER = Server(
    recipe=NGINX,
    mount="/data",
    folders=("/var/log/nginx", "/var/lib/nginx"),
    ready="curl -sf http://127.0.0.1:8080/ready",
    prepare="true",
    write="echo $n | curl -sf -T - http://127.0.0.1:8080/$n",
    rows="cat /data/files/* | sort -n",
    accounts="true",
    consistency="crash-group",
)
