#!/bin/sh
# The main job at work: the quickstart scenario for ten seconds, and a consumer beside it.
set -eu
cbsim=.venv/bin/cbsim
"$cbsim" subscribe --each 1 --idle 2 &
subscriber=$!
sleep 1
"$cbsim" run quickstart
wait "$subscriber"
