#!/bin/sh
# Runs apply_sink_mysql_types, _real, _rules and _set against servers of its own, which it makes, kills now and then, and removes: MariaDB where
# it is installed, MySQL where tests/setup.sh --all has unpacked one. A server that is not here is skipped. TAP on standard output.
set -eu

top=$(cd "${TOP_BUILDDIR:-.}" && pwd)
source=$(cd "${TOP_SRCDIR:-$(dirname "$0")/../..}" && pwd)
cache=${TAILRACE_CACHE:-$source/.cache}
directory=$(mktemp -d "${TMPDIR:-/tmp}/sink.XXXXXX")
count=0
failed=0

finish() {
	for file in "$directory"/*/pid; do
		[ ! -s "$file" ] || kill -9 "$(cat "$file")" 2>/dev/null || true
	done
	rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

# One program's TAP, numbered on, each test with its server's name.
numbered() {
	CMOCKA_MESSAGE_OUTPUT=TAP "$top/tests/unit/$2" >"$directory/tap" 2>"$directory/messages" || true
	awk -v n="$count" -v server="$1" '
		/^ok |^not ok / { n++; sub(/ok [0-9]+ - /, "ok " n " - " server ": "); print; next }
		/^[0-9]+\.\./ { split($0, plan, "[.][.]"); next }
		/^#/ { print }' "$directory/tap"
	sed 's/^/# /' "$directory/messages"
	ran=$(grep -cE '^(not )?ok ' "$directory/tap" || true)
	planned=$(sed -n 's/^1\.\.//p' "$directory/tap")
	count=$((count + ran))
	if [ "$ran" != "${planned:-none}" ]; then
		count=$((count + 1))
		echo "not ok $count - $1: $2 ended after $ran of ${planned:-its} tests"
	fi
	if grep -q '^not ok' "$directory/tap" || [ "$ran" != "${planned:-none}" ]; then
		failed=1
	fi
}

# The server listens on its socket only: nothing that runs beside this test can be met. Its log is small, and flushed as in production.
write_start() {
	cat >"$2/start" <<END
#!/bin/sh
$3 --no-defaults --user="\$(id -un)" --datadir="$2/data" --socket="$2/socket" --pid-file="$2/server.pid" --skip-networking $4 \
	--innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=64M --max-allowed-packet=64M --server-id=1 >>"$2/log" 2>&1 &
echo \$! >"$2/pid"
tries=0
while ! $5 --no-defaults --user=root --socket="$2/socket" -e "DO 1" >/dev/null 2>&1; do
	tries=\$((tries + 1))
	[ \$tries -lt 600 ] && kill -0 "\$(cat "$2/pid")" 2>/dev/null || exit 1
	sleep 0.1
done
END
	cat >"$2/restart" <<END
#!/bin/sh
kill -9 "\$(cat "$2/pid")"
while kill -0 "\$(cat "$2/pid")" 2>/dev/null; do sleep 0.1; done
exec "$2/start"
END
	chmod 755 "$2/start" "$2/restart"
}

run_against() {
	if ! "$directory/$1/start"; then
		count=$((count + 1))
		failed=1
		echo "not ok $count - $1: the server does not start"
		sed 's/^/# /' "$directory/$1/log" | tail -n 20
		return
	fi
	export SINK_TEST_TYPE="$1" SINK_TEST_SOCKET="$directory/$1/socket" SINK_TEST_RESTART="$directory/$1/restart"
	numbered "$1" apply_sink_mysql_types
	numbered "$1" apply_sink_mysql_real
	numbered "$1" apply_sink_mysql_rules
	numbered "$1" apply_sink_mysql_set
	kill -9 "$(cat "$directory/$1/pid")"
	rm -f "$directory/$1/pid"
}

mkdir "$directory/mariadb" "$directory/mysql"
mariadbd=$(PATH=$PATH:/usr/sbin command -v mariadbd || true)
if [ -z "$mariadbd" ] || ! command -v mariadb-install-db >/dev/null || ! command -v mariadb >/dev/null; then
	skip mariadb "no MariaDB server is installed (Debian: apt install mariadb-server-core mariadb-client)"
elif ! mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$directory/mariadb/data" \
	--auth-root-authentication-method=normal --skip-test-db >"$directory/mariadb/log" 2>&1; then
	skip mariadb "mariadb-install-db failed: $(tail -n 1 "$directory/mariadb/log")"
else
	write_start mariadb "$directory/mariadb" "$mariadbd" "--innodb-log-file-size=64M --log-bin=$directory/mariadb/data/log" mariadb
	run_against mariadb
fi

# Unpacked from another release of Debian: that release's own loader runs it with its own libraries.
root=$cache/mysql/root/usr
loader=$(ls "$root"/lib*/ld-linux-*.so.* 2>/dev/null | head -n 1)
if [ -z "$loader" ] || [ ! -x "$root/sbin/mysqld" ] || [ ! -e "$cache/mysql/.stamp" ]; then
	skip mysql "no MySQL server in $cache/mysql (tests/setup.sh --all fetches one)"
else
	libraries=$(ls -d "$root"/lib/*-linux-gnu | tr '\n' ':')
	mysqld="$loader --library-path $libraries $root/sbin/mysqld"
	places="--basedir=$root --lc-messages-dir=$root/share/mysql --character-sets-dir=$root/share/mysql/charsets --plugin-dir=$root/lib/mysql/plugin"
	places="$places --secure-file-priv=NULL --innodb-redo-log-capacity=64M"
	# shellcheck disable=SC2086 # both are lists of words
	$mysqld --no-defaults --user="$(id -un)" --initialize-insecure --datadir="$directory/mysql/data" $places >"$directory/mysql/log" 2>&1 || true
	write_start mysql "$directory/mysql" "$mysqld" "$places --mysqlx=OFF" "$loader --library-path $libraries $root/bin/mysql"
	run_against mysql
fi
echo "1..$count"
exit $failed
