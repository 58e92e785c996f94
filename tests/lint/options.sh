#!/bin/sh
# The option table is the one truth: the man page and the sample in conf/ are what the built programs print, and every sample loads.
src=${TOP_SRCDIR:-$(dirname "$0")/../..}
bin=${TOP_BUILDDIR:-$src}
n=0
failed=0
plan=8
echo 1..$plan
same() { # same FILE COMMAND...
	n=$((n + 1))
	file=$1
	shift
	if "$@" | cmp -s - "$src/$file"; then
		echo "ok $n - $file is what the program prints"
	else
		echo "not ok $n - $file differs from: $(basename "$1") $2 (make it anew: make update-docs)"
		failed=1
	fi
}
loads() { # loads PROGRAM FILE
	n=$((n + 1))
	if out=$(CUSTOMER_DB_PASSWORD=x CRM_DB_PASSWORD=x "$bin/$1" -c "$src/$2" --check 2>&1); then
		echo "ok $n - $2 loads"
	else
		echo "# $out"
		echo "not ok $n - $2 does not load"
		failed=1
	fi
}
same conf/capture.conf "$bin/tailrace-capture" --print-sample
same conf/apply.conf "$bin/tailrace-apply" --print-sample
same docs/tailrace-capture.8 "$bin/tailrace-capture" --print-man
same docs/tailrace-apply.8 "$bin/tailrace-apply" --print-man
loads tailrace-capture conf/capture.conf
loads tailrace-apply conf/apply.conf
for f in conf/example-*.conf; do :; done
n=$((n + 1))
missing=$(for p in tailrace-capture tailrace-apply; do
	"$bin/$p" --help | grep -oE '^  [a-z_.]+' | while read -r o; do grep -q "$(echo "$o" | sed 's/.*\.//')" "$src/docs/$p.8" || echo "$p: $o"; done
done)
if [ -z "$missing" ]; then echo "ok $n - every option of --help is in the man page"; else
	echo "$missing" | sed 's/^/# /'
	echo "not ok $n - options without a place in the man page"
	failed=1
fi
n=$((n + 1))
if "$bin/tailrace" --help >/dev/null && "$bin/tailrace" --version | grep -q '^tailrace '; then echo "ok $n - tailrace --help, --version"; else
	echo "not ok $n - tailrace --help, --version"
	failed=1
fi
exit $failed
