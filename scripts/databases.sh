#!/usr/bin/env bash
# Runs a command beside a fresh MariaDB and a fresh MySQL, which are gone when it has ended:
#
#   scripts/databases.sh run COMMAND...
#
# The command finds in its environment:
#   LAMBDA_TEST_MARIADB_URL  mysql://user:password@127.0.0.1:port/ of a user who may do everything;
#   LAMBDA_TEST_MYSQL_URL    the password is percent-encoded
#   LAMBDA_TEST_MARIADB_CA   the certificate (PEM) that vouches for the server's
#   LAMBDA_TEST_MYSQL_CA
#   LAMBDA_TEST_MARIADBD     the program and the image, for tests that start servers of their own
#   LAMBDA_TEST_MYSQL_IMAGE
#
# It may set:
#   LAMBDA_TEST_REQUIRE               a missing server is skipped where this is set and does not list it
#   LAMBDA_DATABASES_BUFFER_POOL_MIB  the buffer pool of each server (default 256)
# shellcheck disable=SC2317 # some functions are called by a name that is put together, or by the traps
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MARIADBD=${LAMBDA_TEST_MARIADBD:-$(PATH="$PATH:/usr/sbin" command -v mariadbd || true)}
MYSQL_IMAGE=${LAMBDA_TEST_MYSQL_IMAGE:-lambda-test-mysql:latest}
DB_USER=lambda
SERVERS=()
declare -A PORT CA PID
WORK=
COMMAND_PID=

# Single commands enter Docker's group, not this script: as a child of sg it would get no signals.
with_docker() { "$ROOT/scripts/with-docker.sh" "$@"; }

say() { printf '[test] databases: %s\n' "$*" >&2; }

main() {
    if [ "${1:-}" != run ] || [ "$#" -lt 2 ]; then usage; fi
    shift
    find_servers
    trap 'stop; exit 129' HUP
    trap 'stop; exit 130' INT
    trap 'stop; exit 143' TERM
    trap stop EXIT
    prepare
    local name
    for name in "${SERVERS[@]}"; do "start_$name"; done
    for name in "${SERVERS[@]}"; do wait_for "$name"; done
    run "$@"
}

usage() {
    sed -n '/^# Runs/,/^set /{/^# shellcheck/d; /^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

fail() {
    say "FAILED: $*"
    exit 1
}

# MariaDB's client asks both servers whether they are ready.
find_servers() {
    local client
    client=$(command -v mariadb || true)
    if [ -n "$client" ] && [ -x "$MARIADBD" ]; then
        SERVERS+=(mariadb)
        export LAMBDA_TEST_MARIADBD=$MARIADBD
    else
        missing mariadb "the program mariadbd or mariadb is"
    fi
    if [ -n "$client" ] && with_docker docker image inspect "$MYSQL_IMAGE" >/dev/null 2>&1; then
        SERVERS+=(mysql)
        export LAMBDA_TEST_MYSQL_IMAGE=$MYSQL_IMAGE
    else
        missing mysql "Docker's image $MYSQL_IMAGE or the program mariadb is"
    fi
}

missing() {
    case ",${LAMBDA_TEST_REQUIRE-mariadb,mysql}," in
    *",$1,"*) fail "$2 missing; run scripts/setup.sh test, it installs what the tests need" ;;
    esac
    say "$2 missing, which LAMBDA_TEST_REQUIRE allows: the tests go without $1"
}

# On a disk, unlike /tmp on many systems: a commit has to cost what it costs.
prepare() {
    WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/lambda-databases.XXXXXX")
    chmod 711 "$WORK"
    SERVER_ID=$(id -u):$(id -g)
    AS_SERVER=(setpriv --pdeathsig KILL)
    # MariaDB refuses to run as root.
    if [ "$(id -u)" -eq 0 ]; then
        SERVER_ID=65534:65534
        AS_SERVER+=(--reuid 65534 --regid 65534 --clear-groups)
    fi
    # Other users of this machine reach the ports too, so the password is no fixed one; its end
    # has what a URL must escape, and a %41 that must not become an A.
    PASSWORD="$(openssl rand -hex 12) :/?#[]@!\$&()*+,;=%41\""
    OPTIONS=(
        --bind-address=127.0.0.1 --skip-name-resolve --max-connections=300 --performance-schema=OFF
        --innodb-buffer-pool-size="${LAMBDA_DATABASES_BUFFER_POOL_MIB:-256}M"
    )
    local name
    for name in "${SERVERS[@]}"; do
        mkdir -p "$WORK/$name/data" "$WORK/$name/tmp"
        (umask 077 && users_sql >"$WORK/$name/users.sql")
    done
    [ ! -d "$WORK/mariadb" ] || make_certificates
    [ "$(id -u)" -ne 0 ] || find "$WORK" -mindepth 1 -exec chown "$SERVER_ID" {} +
}

# MySQL's first root has no password. A server reads this at each of its starts.
users_sql() {
    printf '%s\n' "CREATE USER IF NOT EXISTS '$DB_USER'@'%' IDENTIFIED BY '$PASSWORD';" \
        "GRANT ALL PRIVILEGES ON *.* TO '$DB_USER'@'%' WITH GRANT OPTION;" \
        "DROP USER IF EXISTS 'root'@'localhost';"
}

# MySQL makes its own; MariaDB has no TLS without.
make_certificates() {
    local tls=$WORK/mariadb/tls
    mkdir "$tls"
    CA[mariadb]=$tls/ca.pem
    {
        certificate ca 'lambda tests' -addext basicConstraints=critical,CA:TRUE
        certificate server localhost -CA "$tls/ca.pem" -CAkey "$tls/ca.key" \
            -addext basicConstraints=CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1
    } >"$WORK/openssl.log" 2>&1 || fail "openssl could not make certificates: $(tail -n 3 "$WORK/openssl.log")"
}

# certificate NAME SUBJECT OPTION...: without the extensions that a system's configuration would add.
certificate() {
    local path=$WORK/mariadb/tls/$1 subject=$2
    shift 2
    openssl req -x509 -config <(printf '[req]\ndistinguished_name=dn\n[dn]\n') -subj "/CN=$subject" -days 30 \
        -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$path.key" -out "$path.pem" "$@"
}

# Outside of the range that systems give to whoever asks for any port.
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

# In sessions of their own, so that Ctrl-C at a terminal reaches this script alone; and ended by the
# kernel should this script be killed.

# With a directory of its own for temporary tables: a server that starts deletes all that it finds
# there, its neighbours' too.
start_mariadb() {
    local home=$WORK/mariadb
    PORT[mariadb]=$(free_port)
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid "${AS_SERVER[@]}" sh -c '
        cd "$1" && mariadbd=$2 && shift 2
        set -- --no-defaults --datadir="$PWD/data" --tmpdir="$PWD/tmp" "$@"
        [ -d data/mysql ] || mariadb-install-db "$1" "$2" "$3" --skip-test-db || exit
        exec "$mariadbd" "$@"
    ' sh "$home" "$MARIADBD" "${OPTIONS[@]}" --port="${PORT[mariadb]}" --socket=socket --pid-file=pid \
        --innodb-log-file-size=64M --init-file="$home/users.sql" \
        --ssl-ca="$home/tls/ca.pem" --ssl-cert="$home/tls/server.pem" --ssl-key="$home/tls/server.key" \
        >"$WORK/mariadb.log" 2>&1 </dev/null &
    PID[mariadb]=$!
}

# The user is set and the image's own start bypassed, so that it may be MySQL's official one.
start_mysql() {
    PORT[mysql]=$(free_port)
    CA[mysql]=$WORK/mysql/data/ca.pem
    remove_container
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid "$ROOT/scripts/with-docker.sh" docker create --rm --name "$(basename "$WORK")" --pull never \
        --network host --user "$SERVER_ID" --volume "$WORK/mysql:/mysql" --entrypoint sh "$MYSQL_IMAGE" -c '
            mysqld="/usr/sbin/mysqld --no-defaults --datadir=/mysql/data --secure-file-priv=NULL --innodb-redo-log-capacity=64M"
            [ -d /mysql/data/mysql ] || $mysqld --initialize-insecure || exit
            exec $mysqld "$@"
        ' sh "${OPTIONS[@]}" --port="${PORT[mysql]}" --socket=/mysql/data/socket --pid-file=/mysql/data/pid \
        --mysqlx=OFF --init-file=/mysql/users.sql >"$WORK/mysql.log" 2>&1 </dev/null ||
        fail_with_log mysql "Docker could not create a container of $MYSQL_IMAGE"
    # Docker's client passes the signal on to the server.
    setsid setpriv --pdeathsig TERM "$ROOT/scripts/with-docker.sh" docker start --attach "$(basename "$WORK")" \
        >"$WORK/mysql.log" 2>&1 </dev/null &
    PID[mysql]=$!
}

remove_container() { with_docker docker rm --force --volumes "$(basename "$WORK")" >/dev/null 2>&1 || true; }

wait_for() {
    local name=$1 deadline=$((SECONDS + 120)) version
    until version=$(ask "$name" 'SELECT version()' 2>/dev/null); do
        if ! kill -0 "${PID[$name]}" 2>/dev/null; then
            grep -qi 'address already in use' "$WORK/$name.log" || fail_with_log "$name" "$name ended while starting"
            "start_$name"
        fi
        [ "$SECONDS" -lt "$deadline" ] || fail_with_log "$name" "$name did not answer within 120 s"
        sleep 0.1
    done
    say "$name: ok ($version, 127.0.0.1:${PORT[$name]})"
}

ask() {
    MYSQL_PWD=$PASSWORD mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port="${PORT[$1]}" --user="$DB_USER" \
        --ssl --ssl-ca="${CA[$1]}" --skip-ssl-verify-server-cert --connect-timeout=5 --batch --skip-column-names --execute="$2"
}

fail_with_log() {
    say "the end of the log of $1:"
    tail -n 30 "$WORK/$1.log" | sed 's/^/    /' >&2
    fail "$2"
}

run() {
    local name password status=0
    password=$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$PASSWORD")
    for name in "${SERVERS[@]}"; do
        export "LAMBDA_TEST_${name^^}_URL=mysql://$DB_USER:$password@127.0.0.1:${PORT[$name]}/" \
            "LAMBDA_TEST_${name^^}_CA=${CA[$name]}"
    done
    # In the background, because bash handles a signal only when it is not waiting for a foreground
    # program; such a program would ignore Ctrl-C.
    setsid env --default-signal=INT,QUIT "$ROOT/scripts/with-docker.sh" "$@" <&0 &
    COMMAND_PID=$!
    wait "$COMMAND_PID" || status=$?
    COMMAND_PID=
    exit "$status"
}

# Ends the command first, which may want to tidy up. Of the servers nothing is kept, so they need no
# orderly end. The shell's own words about what was killed go nowhere.
stop() {
    trap '' HUP INT TERM
    trap - EXIT
    if [ -n "$COMMAND_PID" ] && ! end_group "$COMMAND_PID" TERM 30 2>/dev/null; then
        say "the command did not end within 30 s; killing it"
        end_group "$COMMAND_PID" KILL 5 2>/dev/null || true
    fi
    [ -z "${PID[mariadb]:-}" ] || end_group "${PID[mariadb]}" KILL 5 2>/dev/null || true
    [ -z "${PORT[mysql]:-}" ] || remove_container
    wait
    [ -z "$WORK" ] || rm -rf "$WORK"
}

# end_group PID SIGNAL SECONDS: whether all of its processes have ended in time. One that was only
# just started may not lead its group yet.
end_group() {
    local deadline=$((SECONDS + $3))
    kill -"$2" -- "-$1" || kill -"$2" "$1" || return 0
    while kill -0 -- "-$1"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
    # Not waited for: in a trap, bash would wait for its next child to end where this one is reaped already.
}

main "$@"
