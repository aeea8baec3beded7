"""PostgreSQL 15 as an image: Debian's packages, and an entry point that creates its data once.

The data folder is created beside its place and then renamed, so that a pod that is killed in the
middle starts again from nothing and not from half of it. `POSTGRES_PASSWORD` is the password of
the user `postgres` when the data is created; inside the pod, commands need none.
"""

from appshield.local.demo.recipe import File, Folder, ImageRecipe

USER = 100
GROUP = 102
DATA_MOUNT = "/var/lib/postgresql/data"
SOCKET_FOLDER = "/run/postgresql"

_PROGRAMS = "/usr/lib/postgresql/15/bin"

_ENTRYPOINT = f"""\
#!/bin/sh
set -eu
if [ ! -d "$PGDATA" ]; then
    rm -rf "$PGDATA.new"
    umask 077
    printf '%s\\n' "$POSTGRES_PASSWORD" > {SOCKET_FOLDER}/password
    initdb --pgdata "$PGDATA.new" --username postgres --pwfile {SOCKET_FOLDER}/password \\
        --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --no-locale --data-checksums
    rm {SOCKET_FOLDER}/password
    echo 'host all all all scram-sha-256' >> "$PGDATA.new/pg_hba.conf"
    mv "$PGDATA.new" "$PGDATA"
fi
unset POSTGRES_PASSWORD
exec postgres -c listen_addresses='*' -c unix_socket_directories={SOCKET_FOLDER} "$@"
"""

POSTGRES = ImageRecipe(
    name="shop-postgres",
    packages=("postgresql-15",),
    account="postgres",
    user=USER,
    group=GROUP,
    entrypoint=("/usr/local/bin/entrypoint",),
    without=(
        "etc/postgresql*",
        "etc/ssl/private",
        "usr/bin/pg_*",
        "usr/lib/*-linux-gnu/libLLVM*",
        "usr/lib/*-linux-gnu/libz3*",
        "usr/lib/llvm*",
        "usr/lib/postgresql/15/lib/bitcode",
        "usr/lib/postgresql/15/lib/llvmjit*",
        "usr/lib/postgresql/15/lib/pgxs",
        "usr/share/postgresql-common",
        "usr/share/postgresql/15/man",
    ),
    add={
        "usr/local/bin/entrypoint": File(content=_ENTRYPOINT, mode=0o755),
        SOCKET_FOLDER[1:]: Folder(),
        DATA_MOUNT[1:]: Folder(mode=0o700),
    },
    environment={
        "PATH": f"{_PROGRAMS}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PGDATA": f"{DATA_MOUNT}/pgdata",
        "PGHOST": SOCKET_FOLDER,
        "PGUSER": "postgres",
    },
    tags={"15": {}},
)
