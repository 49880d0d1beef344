#!/bin/sh
# Takes the cookie from RABBITMQ_ERLANG_COOKIE, as the official entrypoint does where it is old.
set -eu
exec "$@"
