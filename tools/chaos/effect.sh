#!/bin/sh
# The action whose effect the oracle sees: effect.sh <oracle file> <tag> <seconds before> <seconds after> <exit code>
# One short line, appended by one write; what it prints names the attempt, and so does the command's result.
[ "$3" = 0 ] || sleep "$3"
echo "$2 $GWANJE_COMMAND_ID $GWANJE_ATTEMPT" >> "$1"
echo "attempt=$GWANJE_ATTEMPT"
[ "$4" = 0 ] || sleep "$4"
exit "$5"
