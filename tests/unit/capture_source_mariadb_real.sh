#!/bin/sh
# Runs capture_source_mysql_real against two servers of its own, which it makes and removes: MariaDB of the system, or with an
# argument "mysql" or "mariadb-11", which tests/setup.sh --all fetches. Skipped where they are not there. TAP on standard output.
#
# What tests/setup.sh fetched is of a later release: it is run by that release's own loader with its own libraries.
set -eu

name=${1:-mariadb}
kind=${name%-11}
program=${TOP_BUILDDIR:-.}/tests/unit/capture_source_mysql_real
source=$(cd "$(dirname "$0")/../.." && pwd)
prefix=/usr
if [ "$name" != mariadb ]; then
	prefix=${TAILRACE_CACHE:-$source/.cache}/$name/root/usr
fi

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

# Becomes a program of the installation: to be called in a subshell.
server_program() {
	path=$prefix/$1
	shift
	if [ "$prefix" = /usr ]; then
		exec "$path" "$@"
	else
		exec "$prefix"/lib*/ld-linux-*.so.* --library-path "$(echo "$prefix"/lib/*-linux-gnu)" "$path" "$@"
	fi
}

[ -x "$program" ] || skip "the test is not built"
if [ "$kind" = mysql ]; then
	mysqld=sbin/mysqld client=bin/mysql binlog=bin/mysqlbinlog share=$prefix/share/mysql
else
	mysqld=sbin/mariadbd client=bin/mariadb binlog=bin/mariadb-binlog
	share=$(dirname "$(ls -d "$prefix"/share/*/charsets 2>/dev/null | head -n 1)")
fi
if [ ! -x "$prefix/$mysqld" ]; then
	skip "no $mysqld in $prefix (Debian: apt install mariadb-server; tests/setup.sh --all fetches MySQL and MariaDB 11)"
fi

directory=$(mktemp -d "${TMPDIR:-/tmp}/source.XXXXXX")
pids=
finish() {
	for pid in $pids $(cat "$directory"/[12].pid 2>/dev/null); do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# The servers listen on their sockets only: nothing that runs beside this test can be met.
common="--no-defaults --skip-networking --binlog-row-metadata=FULL --innodb-buffer-pool-size=32M"
common="$common --innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --basedir=$prefix --lc-messages-dir=$share"
common="$common --character-sets-dir=$share/charsets --plugin-dir=$prefix/lib/mysql/plugin"
if [ "$(id -u)" -eq 0 ]; then
	common="$common --user=root"
fi
if [ "$kind" = mysql ]; then
	common="$common --mysqlx=OFF --gtid-mode=ON --enforce-gtid-consistency=ON --secure-file-priv=NULL --performance-schema=OFF"
else
	common="$common --gtid-strict-mode=1 --binlog-format=ROW"
fi

# What mariadb-install-db does, as SQL. A folder of its own for temporary tables: a server that starts empties it.
system_tables() {
	printf '%s\n' "CREATE DATABASE mysql;" "USE mysql;" "SET @auth_root_socket = NULL;"
	for part in system_tables performance_tables system_tables_data; do
		cat "$share"/m*_$part.sql
	done
}

make_data() {
	if [ "$kind" = mysql ]; then
		# shellcheck disable=SC2086
		server_program $mysqld $common --initialize-insecure --datadir="$1" --lower-case-table-names="$2"
	else
		mkdir "$1"
		system_tables >"$1.sql"
		# shellcheck disable=SC2086
		server_program $mysqld $common --bootstrap --max-allowed-packet=8M --datadir="$1" --tmpdir="$1" <"$1.sql"
	fi
}

for n in 1 2; do
	data=$directory/$n
	small=$((n - 1)) # the second keeps names in small letters
	(make_data "$data" $small) >"$directory/init" 2>&1 || { cat "$directory/init" >&2; exit 1; }
	# shellcheck disable=SC2086
	(server_program $mysqld $common --datadir="$data" --tmpdir="$data" --socket="$directory/$n.sock" --pid-file="$directory/$n.pid" --server-id=$n \
		--lower-case-table-names=$small --log-bin="$data/bin") >"$directory/log$n" 2>&1 &
	pids="$pids $!"
done
for n in 1 2; do
	tries=0
	until (server_program $client --no-defaults -uroot -S "$directory/$n.sock" -e "SELECT 1") >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 600 ]; then
			cat "$directory/log$n" >&2
			exit 1
		fi
		sleep 0.1
	done
done

# What the first server has logged, said again to the second: the same GTIDs at the same times, as on a replica.
cat >"$directory/copy" <<END
#!/bin/sh
set -e
prefix=$prefix
$(sed -n '/^server_program() {/,/^}/p' "$0")
(server_program $binlog --no-defaults "$directory"/1/bin.[0-9][0-9][0-9][0-9][0-9][0-9]) >"$directory/statements"
(server_program $client --no-defaults --binary-mode -uroot -S "$directory/2.sock") <"$directory/statements"
END
# The first server is killed, its last file of the log cut at the end, and it is started again.
cat >"$directory/crash" <<END
#!/bin/sh
set -e
prefix=$prefix
$(sed -n '/^server_program() {/,/^}/p' "$0")
pid=\$(cat "$directory/1.pid")
kill -9 "\$pid"
while kill -0 "\$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/\$pid/status" 2>/dev/null; do
	sleep 0.05
done
for file in "$directory"/1/bin.[0-9][0-9][0-9][0-9][0-9][0-9]; do
	last=\$file
done
truncate -s "-\$1" "\$last"
(server_program $mysqld $common --datadir="$directory/1" --tmpdir="$directory/1" --socket="$directory/1.sock" --pid-file="$directory/1.pid" --server-id=1 \
	--log-bin="$directory/1/bin") >>"$directory/log1" 2>&1 &
tries=0
until (server_program $client --no-defaults -uroot -S "$directory/1.sock" -e "SELECT 1") >/dev/null 2>&1; do
	tries=\$((tries + 1))
	[ \$tries -lt 600 ]
	sleep 0.1
done
END
chmod 755 "$directory/copy" "$directory/crash"

SOURCE_TEST_KIND=$kind
SOURCE_TEST_DIRECTORY=$directory
export SOURCE_TEST_KIND SOURCE_TEST_DIRECTORY
CMOCKA_MESSAGE_OUTPUT=${CMOCKA_MESSAGE_OUTPUT:-TAP} "$program"
