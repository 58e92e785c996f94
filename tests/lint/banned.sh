#!/bin/sh
# Functions that are not used here, each because it cannot be told how much room there is, keeps hidden state, or hides an error.
cd "${TOP_SRCDIR:-$(dirname "$0")/../..}" || exit 1
words='strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|strncpy|strncat|ctime|asctime|gmtime|localtime|rand|tmpnam|mktemp|system|popen|alloca|setjmp|longjmp|usleep|sleep|signal'
hits=$(grep -nEr --include='*.[ch]' "(^|[^a-zA-Z0-9_>.\"])($words)[[:space:]]*\(" lib capture apply tool | grep -vE '^[^:]+:[0-9]+:[[:space:]]*(\*|/\*|//)')
echo 1..1
if [ -n "$hits" ]; then
	echo "$hits" | sed 's/^/# /'
	echo "not ok 1 - banned functions"
	exit 1
fi
echo "ok 1 - banned functions"
