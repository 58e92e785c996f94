#!/bin/sh
# Runs apply_sink_real against a PostgreSQL server of its own, which it makes, crashes now and then, and removes.
# Skipped where no server is installed. TAP on standard output.
set -eu

program=${TOP_BUILDDIR:-.}/tests/unit/apply_sink_real
programs=
for directory in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
	[ -x "$directory/initdb" ] && [ -x "$directory/postgres" ] && programs=$directory
done
if [ -z "$programs" ] || [ ! -x "$program" ]; then
	echo "1..0 # SKIP no PostgreSQL server is installed (Debian: apt install postgresql)"
	exit 0
fi

# The server refuses root, so root runs it as the user that the package makes.
as_server() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups -- "$@"
	else
		"$@"
	fi
}

directory=$(mktemp -d "${TMPDIR:-/tmp}/sink.XXXXXX")
data=$directory/data
finish() {
	as_server "$programs/pg_ctl" -D "$data" -m immediate -s stop >/dev/null 2>&1 || true
	rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
if [ "$(id -u)" -eq 0 ]; then
	chown postgres "$directory"
fi
cd "$directory"

# The server listens on its socket only: nothing that runs beside this test can be met.
as_server "$programs/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
as_server tee "$data/pg_hba.conf" >/dev/null <<END
local all scram_user scram-sha-256
local all all trust
END
as_server tee -a "$data/postgresql.conf" >/dev/null <<END
listen_addresses = ''
unix_socket_directories = '$directory'
fsync = on
shared_buffers = 32MB
END
as_server "$programs/pg_ctl" -D "$data" -l "$directory/log" -w -s start

SINK_TEST_HOST=$directory
SINK_TEST_PORT=5432
restart=$directory/restart
cat >"$restart" <<END
#!/bin/sh
cd "$directory" && "$programs/pg_ctl" -D "$data" -l "$directory/log" -m immediate -w -s restart >/dev/null 2>&1
END
chmod 755 "$directory" "$restart"
if [ "$(id -u)" -eq 0 ]; then
	SINK_TEST_RESTART="setpriv --reuid postgres --regid postgres --clear-groups -- $restart"
else
	SINK_TEST_RESTART=$restart
fi
export SINK_TEST_HOST SINK_TEST_PORT SINK_TEST_RESTART
CMOCKA_MESSAGE_OUTPUT=${CMOCKA_MESSAGE_OUTPUT:-TAP} "$program"
