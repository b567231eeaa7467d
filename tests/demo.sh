#!/bin/sh
# The main job at work: the quickstart scenario for ten seconds, a consumer beside it, and the
# proof that the consumer got everything.
set -eu
PATH="$PWD/.venv/bin:$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cbsim subscribe --each 1 --idle 2 &
cbsim tap --out "$folder/tap.ndjson" --idle 3 2>/dev/null &
sleep 1
cbsim run quickstart --ledger "$folder/run.ledger"
wait
cbsim verify --ledger "$folder/run.ledger" "$folder/tap.ndjson" | tail -2
