set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    # shellcheck disable=SC2086
    initdb --username=postgres --pwfile=/tmp/password --auth-local=trust $POSTGRES_INITDB_ARGS
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl start --wait --options "-c listen_addresses=''"
    for script in /docker-entrypoint-initdb.d/*.sh; do "$script"; done
    pg_ctl stop --wait
fi
exec postgres -c listen_addresses='*'
