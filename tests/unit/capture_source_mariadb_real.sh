#!/bin/sh
# Runs capture_source_mysql_real against two MariaDB (with the argument mysql: MySQL) servers of its own, which it makes and removes.
# Skipped where no server is installed. TAP on standard output.
#
# MariaDB is taken from the system; MySQL from the folder that tests/setup.sh fills, run by that folder's own loader with its own libraries.
set -eu

kind=${1:-mariadb}
program=${TOP_BUILDDIR:-.}/tests/unit/capture_source_mysql_real
source=$(cd "$(dirname "$0")/../.." && pwd)
root=${TAILRACE_MYSQL_ROOT:-${TAILRACE_CACHE:-$source/.cache}/mysql/root}

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

# Becomes a program of the installation: to be called in a subshell.
server_program() {
	name=$1
	shift
	if [ "$kind" = mysql ]; then
		exec "$root"/usr/lib*/ld-linux-*.so.* --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/$name" "$@"
	else
		exec "/usr/$name" "$@"
	fi
}

[ -x "$program" ] || skip "the test is not built"
if [ "$kind" = mysql ]; then
	[ -x "$root/usr/sbin/mysqld" ] || skip "no MySQL server in $root (tests/setup.sh --all fetches it)"
	mysqld=sbin/mysqld client=bin/mysql binlog=bin/mysqlbinlog
else
	[ -x /usr/sbin/mariadbd ] || skip "no MariaDB server is installed (Debian: apt install mariadb-server)"
	mysqld=sbin/mariadbd client=bin/mariadb binlog=bin/mariadb-binlog
fi

directory=$(mktemp -d "${TMPDIR:-/tmp}/source.XXXXXX")
pids=
finish() {
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# The servers listen on their sockets only: nothing that runs beside this test can be met.
common="--no-defaults --skip-networking --binlog-row-metadata=FULL --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=0 --sync-binlog=0"
if [ "$(id -u)" -eq 0 ]; then
	common="$common --user=root"
fi
if [ "$kind" = mysql ]; then
	common="$common --mysqlx=OFF --gtid-mode=ON --enforce-gtid-consistency=ON --secure-file-priv=NULL --performance-schema=OFF"
	common="$common --lc-messages-dir=$root/usr/share/mysql --character-sets-dir=$root/usr/share/mysql/charsets --plugin-dir=$root/usr/lib/mysql/plugin"
else
	common="$common --gtid-strict-mode=1 --binlog-format=ROW"
fi

for n in 1 2; do
	data=$directory/$n
	if [ "$kind" = mysql ]; then
		# shellcheck disable=SC2086
		(server_program $mysqld $common --initialize-insecure --datadir="$data") >"$directory/init" 2>&1 || { cat "$directory/init" >&2; exit 1; }
	else
		mkdir "$data"
		mariadb-install-db --no-defaults ${common#--no-defaults} --datadir="$data" --auth-root-authentication-method=normal --skip-test-db \
			>"$directory/init" 2>&1 || { cat "$directory/init" >&2; exit 1; }
	fi
	# shellcheck disable=SC2086
	(server_program $mysqld $common --datadir="$data" --socket="$directory/$n.sock" --pid-file="$directory/$n.pid" --server-id=$n \
		--log-bin="$data/bin") >"$directory/log$n" 2>&1 &
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
kind=$kind root=$root
$(sed -n '/^server_program() {/,/^}/p' "$0")
(server_program $binlog --no-defaults "$directory"/1/bin.0*) >"$directory/statements"
(server_program $client --no-defaults --binary-mode -uroot -S "$directory/2.sock") <"$directory/statements" 2>"$directory/copy.log"
END
chmod 755 "$directory/copy"

SOURCE_TEST_KIND=$kind
SOURCE_TEST_DIRECTORY=$directory
export SOURCE_TEST_KIND SOURCE_TEST_DIRECTORY
CMOCKA_MESSAGE_OUTPUT=${CMOCKA_MESSAGE_OUTPUT:-TAP} "$program"
