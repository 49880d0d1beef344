#!/bin/sh
# Makes the cluster at the first start, as the official entrypoint does: POSTGRES_USER and
# POSTGRES_PASSWORD for the superuser, then each /docker-entrypoint-initdb.d/*.sh.
set -eu
: "${POSTGRES_USER:=postgres}"

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    words=$(mktemp)
    printf '%s' "${POSTGRES_PASSWORD:?is needed}" > "$words"
    initdb -U "$POSTGRES_USER" --pwfile="$words" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null
    rm "$words"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    export PGPASSWORD="$POSTGRES_PASSWORD" POSTGRES_USER
    # Nobody outside reaches it before it is complete.
    pg_ctl -w -o "-c listen_addresses=" start >/dev/null
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ ! -f "$script" ] || sh "$script"
    done
    pg_ctl -m fast -w stop >/dev/null
    unset PGPASSWORD
fi
exec "$@"
