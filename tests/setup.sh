#!/bin/bash
# Makes a fresh Debian 12 ready to build Tailrace and to run its tests, benchmarks and quickstart.
# Run it, or source it (`. tests/setup.sh || exit`), which also exports TAILRACE_CACHE and TAILRACE_PYTHON.
# It does only what is missing, and takes a fraction of a second when nothing is.
#
#   tests/setup.sh          what the build, the quickstart and the unit tests need
#   tests/setup.sh --all    also the servers that only the end-to-end tests want: MySQL 9 and MariaDB 11 from Debian sid
#
# Everything but Debian packages goes to ${TAILRACE_CACHE:-<repository>/.cache}:
#   venv/          Python with tests/requirements.txt         kafka/libs/    the broker's jars (tests/kafka/pom.xml)
#   mysql/root/    MySQL 9 with its libraries (--all)         mariadb-11/root/  MariaDB 11 with its libraries (--all)
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
  libsystemd-dev libcmocka-dev postgresql postgresql-contrib mariadb-server-core mariadb-client
  python3-venv openjdk-17-jre-headless maven xz-utils man-db ca-certificates debian-archive-keyring"

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

# Debian's PostgreSQL would create and start a cluster when it is installed; the tests make their own. (MariaDB's would too: so it
# is mariadb-server-core, the programs alone, and not mariadb-server.)
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

# One that is in its place stays, and gets what is new: something may be running in it.
setup_venv() {
    setup_venv_ready && return 0
    setup_say "making the Python environment (tests/requirements.txt)"
    case $(cat "$TAILRACE_CACHE/venv/.stamp" 2>/dev/null) in "$TAILRACE_CACHE/venv "*) ;; *) rm -rf "$TAILRACE_CACHE/venv" ;; esac
    "$TAILRACE_PYTHON" -c '' 2>/dev/null || /usr/bin/python3 -m venv "$TAILRACE_CACHE/venv" ||
        python3 -m venv --clear "$TAILRACE_CACHE/venv" || return 69
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

# ---- Servers from Debian sid: wanted by the end-to-end tests, not needed ----

# Debian 12 has neither MySQL nor MariaDB 11. Their programs come from Debian sid together with every library that they need, the C
# library and its loader too, into a folder of their own, where that loader runs them: nothing is installed, root is not needed, and
# no chroot or mount can be left behind. apt is given an empty list of installed packages, and so it fetches the whole closure.

SETUP_SID_SERVERS="mysql mariadb-11"

setup_sid_packages() {
    case $1 in
    mysql) echo mysql-server-core mysql-client-core ;;
    mariadb-11) echo mariadb-server-core mariadb-client ;;
    esac
}

# What is taken without the packages that it depends on: mariadb-server for its plugins.
setup_sid_alone() { case $1 in mariadb-11) echo mariadb-server ;; esac; }

setup_sid_ready() {
    local name
    for name in $SETUP_SID_SERVERS; do
        [ -e "$TAILRACE_CACHE/$name/.stamp" ] || [ -e "$TAILRACE_CACHE/notes/no-$name" ] || return 1
    done
}

# The mirror that this machine's own apt uses for Debian.
setup_debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' |
        head -n 1
}

# setup_sid_apt FOLDER COMMAND...: an apt of its own in FOLDER, which knows only sid and believes that nothing is installed.
setup_sid_apt() {
    local work=$1 command=$2
    shift 2
    "$command" -q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
        -o APT::Sandbox::User= -o APT::Default-Release= -o APT::Install-Recommends=false -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

setup_sid_lists() {
    local work=$1 mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mirror=$(setup_debian_mirror)
    [ -n "$mirror" ] || { [ "$(id -u)" = 0 ] && setup_apt update && mirror=$(setup_debian_mirror); }
    [ -n "$mirror" ] || { echo "apt knows no mirror of Debian"; return 69; }
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" && : >"$work/status" &&
        echo "deb [signed-by=$keyring] $mirror sid main" >"$work/sources.list" &&
        setup_sid_apt "$work" apt-get -o APT::Update::Error-Mode=any update
}

# Manuals and Perl, which only scripts around the servers use, stay away.
setup_fetch_sid() {
    local name=$1 work=$2 root="$TAILRACE_CACHE/$1/root" package
    rm -rf "${TAILRACE_CACHE:?}/$name" "$work/cache/archives"
    mkdir -p "$root" "$work/cache/archives/partial" || return 69
    # shellcheck disable=SC2046
    setup_sid_apt "$work" apt-get install -y --download-only $(setup_sid_packages "$name") || return 69
    for package in $(setup_sid_alone "$name"); do
        (cd "$work/cache/archives" && setup_sid_apt "$work" apt-get download "$package") || return 69
    done
    for package in "$work"/cache/archives/*.deb; do
        case ${package##*/} in perl*_* | libperl*_* | *-perl_*) continue ;; esac
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$root" --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' || return 69
    done
    ls "$work/cache/archives" >"$TAILRACE_CACHE/$name/.stamp"
}

setup_sid() (
    setup_sid_ready && return 0
    work=$(mktemp -d "$TAILRACE_CACHE/sid.XXXXXX") && trap 'rm -rf "$work"' EXIT || return 69
    setup_retry "apt-get update for Debian sid" setup_sid_lists "$work" >"$work/log" 2>&1
    for name in $SETUP_SID_SERVERS; do
        [ ! -e "$TAILRACE_CACHE/$name/.stamp" ] || continue
        setup_say "fetching $name from Debian sid"
        setup_retry "$name" setup_fetch_sid "$name" "$work" >>"$work/log" 2>&1 || {
            setup_say "$name cannot be had here: tests that need it will be skipped"
            { echo "packages of Debian sid could not be fetched:" && tail -n 5 "$work/log"; } >"$TAILRACE_CACHE/notes/no-$name"
        }
    done
    return 0
)

setup_all_ready() {
    setup_venv_ready && setup_kafka_ready && setup_promtool_ready && [ -z "$(setup_missing_packages)" ] &&
        { [ "$SETUP_WANTED" != --all ] || setup_sid_ready; }
}

setup_main() {
    setup_all_ready && { setup_say "everything is in place"; return 0; }
    mkdir -p "$TAILRACE_CACHE/notes" "$TAILRACE_CACHE/bin" || return 69
    (
        flock -w 1800 9 || { setup_say "another setup has held $TAILRACE_CACHE/.setup.lock for half an hour"; exit 69; }
        setup_packages && setup_venv && setup_kafka && setup_promtool && { [ "$SETUP_WANTED" != --all ] || setup_sid; }
    ) 9>"$TAILRACE_CACHE/.setup.lock" || return 69
    setup_say "ready (cache: $TAILRACE_CACHE)"
}

if (return 0 2>/dev/null); then
    SETUP_WANTED=""
    setup_main
    return
else
    SETUP_WANTED=${1:-}
    case $SETUP_WANTED in "" | --all) ;; *)
        echo "tests/setup.sh: unknown option \"$SETUP_WANTED\"; there is --all" >&2
        exit 64
        ;;
    esac
    setup_main
    exit
fi
