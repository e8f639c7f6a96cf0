#!/bin/sh
# Installs the vendors' own client libraries beside this file: for Node from package-lock.json, for
# Python from requirements.txt into an environment of their own. No script of a package is run.
# Nothing happens if nothing changed.
set -eu
cd "$(dirname "$0")"
venv=.venv

fail() {
    printf 'conform-clients: %s\n' "$@" >&2
    exit 1
}

wanted=$(cat package.json package-lock.json requirements.txt setup.sh | cksum)
if [ -f $venv/.stamp ] && [ "$(cat $venv/.stamp)" = "$wanted" ] && [ -d node_modules ]; then
    exit 0
fi
command -v npm >/dev/null 2>&1 ||
    fail "npm was not found. On Debian and Ubuntu: apt-get install nodejs npm"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error ||
    fail "npm could not install the clients; its own words are above."
rm -rf $venv
"${PYTHON:-python3}" -m venv $venv || fail "no environment could be made with ${PYTHON:-python3}"
pip="$venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps"
awk '/^[a-z]/ { on = /^setuptools==/ } on' requirements.txt >$venv/first.txt
# twilio's release is a source only: what builds it is locked as well, not fetched by the way.
$pip --require-hashes -r $venv/first.txt && $pip --require-hashes --no-build-isolation \
    -r requirements.txt || fail "pip could not install the clients; its own words are above."
echo "$wanted" >$venv/.stamp
