#!/bin/bash
# Makes a fresh Debian 12 ready to build Tailrace and to run its tests, benchmarks and quickstart.
# Run it, or source it (`. tests/setup.sh || exit`), which also exports TAILRACE_CACHE and TAILRACE_PYTHON.
# It does only what is missing, and takes a fraction of a second when nothing is.
#
# Everything but Debian packages goes to ${TAILRACE_CACHE:-<repository>/.cache}:
#   venv/          Python with tests/requirements.txt         kafka/libs/    the broker's jars (tests/kafka/pom.xml)
#   bin/promtool   Prometheus's checker of metrics and rules  notes/         what could not be had, and why
# Exit status: 0 ready, 69 something needed cannot be had here (the lines printed say what).

SETUP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export TAILRACE_CACHE="${TAILRACE_CACHE:-$SETUP_ROOT/.cache}"
case $TAILRACE_CACHE in /*) ;; *) TAILRACE_CACHE=$PWD/$TAILRACE_CACHE ;; esac
export TAILRACE_PYTHON="$TAILRACE_CACHE/venv/bin/python"

SETUP_PACKAGES="
  autoconf automake autoconf-archive make gcc libc6-dev clang libclang-rt-14-dev pkg-config
  libpq-dev libmariadb-dev librdkafka-dev libavro-dev libconfig-dev libjansson-dev
  libcurl4-openssl-dev libssl-dev libmicrohttpd-dev libsqlite3-dev libzstd-dev zlib1g-dev uthash-dev
  libsystemd-dev libcmocka-dev postgresql postgresql-contrib python3-venv openjdk-17-jre-headless
  maven xz-utils man-db ca-certificates"

setup_say() { printf 'setup: %s\n' "$*"; }

# setup_retry WHAT COMMAND...: up to three tries, because a registry may be out of reach for a moment.
setup_retry() {
    local what=$1 try
    shift
    for try in 1 2 3; do
        "$@" && return 0
        [ "$try" = 3 ] || { setup_say "$what failed (try $try of 3), trying again"; sleep $((try * 3)); }
    done
    setup_say "$what failed three times"
    return 69
}

# ---- Debian packages ----

setup_missing_packages() {
    # shellcheck disable=SC2086 # the list is words on purpose
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' $SETUP_PACKAGES 2>/dev/null |
        awk -v want="$SETUP_PACKAGES" '
            $2 == "installed" { have[$1] = 1 }
            END { n = split(want, list); for (i = 1; i <= n; i++) if (!(list[i] in have)) print list[i] }'
}

setup_as_root() {
    if [ "$(id -u)" = 0 ]; then
        env "$@"
    elif [ -t 0 ]; then
        sudo env "$@"
    else
        sudo -n env "$@"
    fi
}

setup_apt() {
    setup_as_root DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@"
}

# Debian's PostgreSQL would create and start a cluster when it is installed; the tests make their own.
setup_no_default_cluster() {
    [ -e /etc/postgresql-common/createcluster.conf ] && return 0
    setup_as_root sh -c 'mkdir -p /etc/postgresql-common &&
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf'
}

setup_packages() {
    local missing log="$TAILRACE_CACHE/notes/apt.log"
    missing=$(setup_missing_packages | tr '\n' ' ')
    [ -n "${missing// /}" ] || return 0
    if [ "$(id -u)" != 0 ] && ! { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }; then
        setup_say "these Debian packages are missing, and without root or sudo they cannot be installed here:"
        setup_say "  $missing"
        setup_say "install them with: apt-get install $missing"
        return 69
    fi
    setup_say "installing Debian packages: $missing"
    setup_no_default_cluster || return 69
    setup_retry "apt-get update" setup_apt -o APT::Update::Error-Mode=any update >"$log" 2>&1 || { tail -5 "$log"; return 69; }
    # shellcheck disable=SC2086
    setup_retry "apt-get install" setup_apt install --no-install-recommends $missing >>"$log" 2>&1 ||
        { tail -20 "$log"; setup_say "the whole log is in $log"; return 69; }
}

# ---- Python ----

# A venv holds absolute paths, so its place is part of what makes it current.
setup_venv_stamp() { echo "$TAILRACE_CACHE/venv $(sha256sum <"$SETUP_ROOT/tests/requirements.txt")"; }

setup_venv_ready() {
    [ -x "$TAILRACE_PYTHON" ] && [ "$(cat "$TAILRACE_CACHE/venv/.stamp" 2>/dev/null)" = "$(setup_venv_stamp)" ]
}

setup_venv() {
    setup_venv_ready && return 0
    setup_say "making the Python environment (tests/requirements.txt)"
    rm -rf "$TAILRACE_CACHE/venv"
    /usr/bin/python3 -m venv "$TAILRACE_CACHE/venv" || python3 -m venv --clear "$TAILRACE_CACHE/venv" || return 69
    setup_retry "pip install" "$TAILRACE_PYTHON" -m pip install -q --disable-pip-version-check \
        -r "$SETUP_ROOT/tests/requirements.txt" || return 69
    setup_venv_stamp >"$TAILRACE_CACHE/venv/.stamp"
}

# ---- Kafka ----

setup_kafka_stamp() { sha256sum <"$SETUP_ROOT/tests/kafka/pom.xml"; }

setup_kafka_ready() {
    [ "$(cat "$TAILRACE_CACHE/kafka/.stamp" 2>/dev/null)" = "$(setup_kafka_stamp)" ]
}

setup_copy_jars() {
    set -- dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$TAILRACE_CACHE/kafka/libs"
    mvn -q -B -Dstyle.color=never --no-transfer-progress -f "$SETUP_ROOT/tests/kafka/pom.xml" "$@"
}

setup_kafka() {
    setup_kafka_ready && return 0
    setup_say "fetching the Kafka broker's jars (tests/kafka/pom.xml)"
    rm -rf "$TAILRACE_CACHE/kafka"
    mkdir -p "$TAILRACE_CACHE/kafka/libs"
    setup_retry "mvn dependency:copy-dependencies" setup_copy_jars || return 69
    setup_kafka_stamp >"$TAILRACE_CACHE/kafka/.stamp"
}

# ---- promtool: wanted, not needed ----

setup_promtool_ready() { [ -x "$TAILRACE_CACHE/bin/promtool" ] || [ -e "$TAILRACE_CACHE/notes/no-promtool" ]; }

# Taken out of the package without installing it: the package would start a Prometheus service.
setup_fetch_promtool() (
    work=$(mktemp -d "$TAILRACE_CACHE/promtool.XXXXXX") && trap 'rm -rf "$work"' EXIT && cd "$work" &&
        apt-get -q -o APT::Sandbox::User= download prometheus >log 2>&1 &&
        dpkg -x prometheus_*.deb tree && cp tree/usr/bin/promtool "$TAILRACE_CACHE/bin/promtool"
)

setup_promtool() {
    setup_promtool_ready && return 0
    setup_say "fetching promtool"
    setup_fetch_promtool || {
        # The lists that apt has may be old or absent.
        [ "$(id -u)" = 0 ] && setup_apt update >/dev/null 2>&1
        setup_fetch_promtool
    } || {
        setup_say "promtool cannot be had here: checks that need it will be skipped"
        echo "apt-get download prometheus failed" >"$TAILRACE_CACHE/notes/no-promtool"
    }
    return 0
}

setup_all_ready() {
    setup_venv_ready && setup_kafka_ready && setup_promtool_ready && [ -z "$(setup_missing_packages)" ]
}

setup_main() {
    setup_all_ready && { setup_say "everything is in place"; return 0; }
    mkdir -p "$TAILRACE_CACHE/notes" "$TAILRACE_CACHE/bin" || return 69
    (
        flock -w 1800 9 || { setup_say "another setup has held $TAILRACE_CACHE/.setup.lock for half an hour"; exit 69; }
        setup_packages && setup_venv && setup_kafka && setup_promtool
    ) 9>"$TAILRACE_CACHE/.setup.lock" || return 69
    setup_say "ready (cache: $TAILRACE_CACHE)"
}

if (return 0 2>/dev/null); then
    setup_main
    return
else
    setup_main
    exit
fi
