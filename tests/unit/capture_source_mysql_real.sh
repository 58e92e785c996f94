#!/bin/sh
# Runs capture_source_mysql_real against MySQL: capture_source_mariadb_real.sh does it for each kind.
exec "$(dirname "$0")/capture_source_mariadb_real.sh" mysql
