#!/bin/sh
# Runs the benchmarks: every program in bench/ whose name has no underscore in front, or the one
# that is named. A program that needs a tool of the system says so in a line `# needs: wrk`.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${1:-}" ]; then
    [ -f "bench/$1.py" ] || { echo "bench: there is no bench/$1.py" >&2; exit 1; }
    set -- "bench/$1.py"
else
    set -- bench/[!_]*.py
    [ -f "$1" ] || { echo "bench: this checkout has no benchmarks yet (bench/*.py)" >&2; exit 1; }
fi

failed=0
for program in "$@"; do
    missing=
    for tool in $(sed -n 's/^# needs: //p' "$program"); do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    echo "== $program"
    if [ -n "$missing" ]; then
        echo "left out: it needs$missing (on Debian: apt-get install$missing)"
        failed=1
        continue
    fi
    .venv/bin/python "$program" || failed=1
done
exit "$failed"
