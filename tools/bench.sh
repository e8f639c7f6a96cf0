#!/bin/sh
# Runs the benchmarks: every program in bench/, or the one that is named with its arguments.
# kit.py and dummy.py are what the others use.
set -eu
cd "$(dirname "$0")/.."

failed=0

bench() {  # bench PROGRAM ARGUMENT...
    echo "== $1"
    if grep -q 'kit\.wrk(' "$1" && ! command -v wrk >/dev/null 2>&1; then
        echo "left out: it needs wrk, which is not here (on Debian: apt-get install wrk)" >&2
        failed=1
        return
    fi
    .venv/bin/python "$@" || failed=1
}

if [ -n "${1:-}" ]; then
    program=bench/$1.py
    shift
    [ -f "$program" ] || { echo "bench: there is no $program" >&2; exit 1; }
    bench "$program" "$@"
else
    for program in bench/*.py; do
        case $program in
        */kit.py | */dummy.py) ;;
        */\*.py) echo "bench: this checkout has no benchmarks" >&2; exit 1 ;;
        *) bench "$program" ;;
        esac
    done
fi
exit "$failed"
