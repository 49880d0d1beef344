#!/bin/sh
# Makes Carillon's database and its owner, who may do nothing else, and an account that reads
# statistics; the official image runs it once, when the cluster is new.
set -eu
psql -X -q -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres <<'END'
\getenv owner CARILLON_POSTGRESQL_PASSWORD
\getenv monitor CARILLON_POSTGRESQL_MONITOR_PASSWORD
CREATE ROLE carillon LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner';
CREATE DATABASE carillon OWNER carillon;
REVOKE CONNECT ON DATABASE carillon FROM PUBLIC;
-- Whoever holds back vacuum, under whatever role, is seen.
GRANT pg_read_all_stats TO carillon;
CREATE ROLE monitor LOGIN PASSWORD :'monitor';
GRANT pg_monitor TO monitor;
GRANT CONNECT ON DATABASE carillon TO monitor;
END
