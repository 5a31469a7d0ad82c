#!/bin/sh
# Makes, or brings up to date, Temporal's schema. Safe to run again.
set -eu
export SQL_PLUGIN=postgres12 SQL_HOST=postgresql SQL_PORT=5432 SQL_USER=temporal SQL_PASSWORD=temporal

schema() { # database, name of its schema
  temporal-sql-tool --db "$1" create || echo "database $1 exists"
  temporal-sql-tool --db "$1" setup-schema -v 0.0 || echo "schema of $1 exists"
  temporal-sql-tool --db "$1" update-schema --schema-name "postgresql/v12/$2"
}

schema temporal temporal
schema temporal_visibility visibility
