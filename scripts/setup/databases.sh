# shellcheck shell=bash
# The database servers that the tests start by themselves (scripts/databases.sh).

setup_databases() {
    # Certificates for the tests are made with it.
    need_command databases openssl openssl
    setup_mariadb
    setup_mysql
}

# The packages with the programs alone bring no service, so nothing is started, and a server that
# this machine has already is left alone.
setup_mariadb() {
    # Not every user has this on the PATH.
    local PATH="$PATH:/usr/sbin" suffix
    if ! have mariadbd || ! have mariadb; then
        apt_update mariadb
        # Ubuntu 22.04 has the version in the packages' names.
        for suffix in "" -10.6; do
            [ -n "$(apt_candidate "mariadb-server-core$suffix")" ] || continue
            apt_install mariadb "mariadb-server-core$suffix" "mariadb-client-core$suffix"
            break
        done
    fi
    { have mariadbd && have mariadb; } || die "mariadb: the programs mariadbd and mariadb are missing" \
        "Install MariaDB 10.6 or later and run this script again."
    say "mariadb: ok ($(mariadbd --no-defaults --version | awk '{ print $3 }'))"
}

# A real MySQL 9, which Debian has in unstable only.
setup_mysql() { setup_image test-mysql "$DEBIAN_UNSTABLE" mysql-server-core /usr/sbin/mysqld mysql:9; }
