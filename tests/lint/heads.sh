#!/bin/sh
# A file opens with what it is; a header has its guard; no file grows past a size that one can read in a sitting.
cd "${TOP_SRCDIR:-$(dirname "$0")/../..}" || exit 1
faults=$(
	find lib capture apply tool -name '*.[ch]' | sort | while read -r f; do
		base=$(basename "$f")
		head -1 "$f" | grep -qE '^/\*' || echo "$f: does not open with a comment"
		head -3 "$f" | grep -qE "\* ?$base: " || echo "$f: its head does not begin with \"$base: \""
		n=$(wc -l <"$f")
		[ "$n" -le 850 ] || echo "$f: $n lines, more than 850"
	done
	find lib capture apply tool -name '*.h' | while read -r f; do
		grep -q '^#ifndef TAILRACE_' "$f" || echo "$f: no include guard named TAILRACE_..."
	done
)
echo 1..1
if [ -n "$faults" ]; then
	echo "$faults" | sed 's/^/# /'
	echo "not ok 1 - file heads"
	exit 1
fi
echo "ok 1 - file heads"
