#!/bin/sh
# Builds one variant of Tailrace out of the tree and prints the folder in which its programs are.
#   tests/build.sh release | failpoints | asan | tsan [ARGUMENT...]      the arguments are make's: targets, variables
# release is what quickstart and bench run; the others have failpoints, asan with AddressSanitizer and UBSan, tsan with ThreadSanitizer.
# What make says goes to build.log there; on failure its end is shown.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
variant=${1:?usage: tests/build.sh release|failpoints|asan|tsan [ARGUMENT...]}
shift
cflags=
case $variant in
release) options="" ;;
failpoints) options="--enable-failpoints --enable-werror" ;;
# -O1, as the sanitizers' manual has it: the build takes two thirds of the time.
asan) options="--enable-failpoints --enable-werror --with-sanitizer=address,undefined" cflags="-g -O1" ;;
tsan) options="--enable-failpoints --enable-werror --with-sanitizer=thread" cflags="-g -O1" ;;
*)
	echo "tests/build.sh: unknown variant \"$variant\": release, failpoints, asan or tsan" >&2
	exit 64
	;;
esac
dir=${TAILRACE_CACHE:-$top/.cache}/build/$variant
mkdir -p "$dir"
log=$dir/build.log
: >"$log"
fail() {
	echo "tests/build.sh: $variant: $1 failed; the end of $log:" >&2
	tail -n 40 "$log" >&2
	exit 70
}
(
	flock 9
	if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ] || [ ! -e "$top/Makefile.in" ]; then
		"$top/autogen.sh" >>"$log" 2>&1 || fail autogen.sh
	fi
	if [ ! -e "$dir/Makefile" ] || [ "$top/configure" -nt "$dir/Makefile" ]; then
		# shellcheck disable=SC2086
		(cd "$dir" && ${cflags:+env "CFLAGS=$cflags"} "$top/configure" --prefix=/usr/local $options) >>"$log" 2>&1 || fail configure
	fi
	make -C "$dir" -j"$(nproc)" "$@" >>"$log" 2>&1 || fail make
) 9>"$(dirname "$dir")/lock"
echo "$dir"
