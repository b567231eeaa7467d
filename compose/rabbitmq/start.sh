#!/bin/sh
# Starts RabbitMQ with user cb, whose password is CBSIM_PASSWORD, or a random one that is kept.
# Beside it, in the same volume, cbsim finds the password.
set -eu

here=$(dirname "$0")
run=${CBSIM_RUN:-/run/cbsim}

rm -f "$run/definitions.json"
if [ -n "${CBSIM_PASSWORD:-}" ]; then
    rm -f "$run/password"
    printf '%s' "$CBSIM_PASSWORD" >"$run/password"
elif [ ! -s "$run/password" ]; then
    head -c 18 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$run/password"
fi

# As rabbit_password_hashing_sha256 does it: a salt of four bytes, then SHA-256 of salt and password.
hash=$(CBSIM_PASSWORD_FILE="$run/password" erl -boot no_dot_erlang -noinput -eval '
    {ok, Password} = file:read_file(os:getenv("CBSIM_PASSWORD_FILE")),
    Salt = crypto:strong_rand_bytes(4),
    Hash = crypto:hash(sha256, <<Salt/binary, Password/binary>>),
    io:put_chars(base64:encode(<<Salt/binary, Hash/binary>>)),
    halt().')
sed "s|@PASSWORD_HASH@|$hash|" "$here/definitions.json" >"$run/definitions.json"
chmod 0444 "$run/password" "$run/definitions.json"

unset CBSIM_PASSWORD
exec docker-entrypoint.sh rabbitmq-server
