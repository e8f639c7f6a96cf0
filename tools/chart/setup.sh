#!/bin/sh
# Installs what lints and renders the Helm chart beside this file, from requirements.txt, into an
# environment of its own: Helm's own code as a Python package (about 75 MB to load, 250 MB on disk),
# too much for everyone's. Nothing happens if nothing changed.
set -eu
cd "$(dirname "$0")"
venv=.venv

wanted=$(cat requirements.txt setup.sh | cksum)
if [ -f $venv/.stamp ] && [ "$(cat $venv/.stamp)" = "$wanted" ]; then
    exit 0
fi
rm -rf $venv
"${PYTHON:-python3}" -m venv $venv || {
    echo "chart: no environment could be made with ${PYTHON:-python3}" >&2
    exit 1
}
# Wheels only: where there is none, its source would want Go and a C compiler.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
    --only-binary :all: --require-hashes -r requirements.txt || {
    echo "chart: pip could not install Helm's code; its own words are above." >&2
    exit 1
}
echo "$wanted" >$venv/.stamp
