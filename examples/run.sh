#!/usr/bin/env bash
# Two SQLite databases, kept equal across three kills.
#
# An ordinary application writes 200,000 row changes to three tables. Beside
# it, sqlite_to_sqlite brings a second file to the same state. It is killed
# with SIGKILL at three random moments while the application goes on. At the
# end both files are compared by an independent program.
#
#   examples/run.sh               exit status 0 only if they are equal
#   examples/run.sh --self-check  alters one byte of the replica first, to
#                                 show that the comparison sees it: exit 1
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
changes=200000
seconds=16 # the application's pace: slower than the replica, on any machine
self_check=no
case "${1:-}" in
  "") ;;
  --self-check) self_check=yes ;;
  *)
    echo "run.sh: unknown option $1; use --self-check or none" >&2
    exit 2
    ;;
esac

bash "$top/cmake/install_deps.sh"
echo "building (release) ..."
log=$(mktemp)
if ! { cmake -S "$top" --preset release \
  && cmake --build "$top/build/release" \
    --target shop sqlite_to_sqlite compare_databases; } >"$log" 2>&1; then
  tail -50 "$log" >&2
  exit 1
fi
rm -f "$log"
bin=$top/build/release/bin

work=$(mktemp -d)
shop_pid=
copy_pid=
clean_up() {
  [ -z "$shop_pid" ] || kill "$shop_pid" 2>/dev/null || :
  [ -z "$copy_pid" ] || kill -9 "$copy_pid" 2>/dev/null || :
  rm -rf "$work"
}
trap clean_up EXIT

# Position of the replica: the highest change that it has, of any table.
position() {
  local at
  at=$(sqlite3 -readonly "$work/replica.db" \
    "select max(commit_ts) from sluice_sink_position" 2>/dev/null) || at=
  echo "${at:-0}"
}
start_copy() {
  "$bin/sqlite_to_sqlite" "$work/app.db" "$work/replica.db" \
    --state "$work/state" >>"$work/copy.log" 2>&1 &
  copy_pid=$!
}
wait_until() { # text, seconds, command ...: until the command succeeds
  local what=$1 end=$((SECONDS + $2))
  shift 2
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "run.sh: gave up waiting until $what" >&2
      cat "$work/copy.log" >&2
      exit 1
    fi
    sleep 0.02
  done
}
has_tables() {
  [ "$(sqlite3 -readonly "$work/app.db" "select count(*) from sqlite_master
    where type = 'table' and name in ('customers', 'items', 'orders')" \
    2>/dev/null)" = 3 ]
}
reached() { [ "$(position)" -ge "$1" ]; }
percent() { echo "$((100 * $1 / changes)) %"; }

"$bin/shop" "$work/app.db" --changes $changes --duration $seconds \
  >"$work/shop.log" 2>&1 &
shop_pid=$!
wait_until "the application has made its tables" 10 has_tables
start_copy
for kill in 1 2 3; do
  # Somewhere in 6-32 %, 34-60 %, 62-88 %.
  at=$((changes / 100 * (6 + 28 * (kill - 1) + RANDOM % 27)))
  wait_until "the replica has $at changes" 40 reached $at
  kill -9 "$copy_pid"
  wait "$copy_pid" 2>/dev/null || :
  before=$(position)
  sleep 0.1 # the application goes on meanwhile
  start_copy
  wait_until "the replica goes on" 20 reached $((before + 1))
  echo "kill $kill: replica at $before ($(percent "$before"))," \
    "goes on to $(position)"
done
wait_until "the application ends" 60 eval '! kill -0 "$shop_pid" 2>/dev/null'
wait "$shop_pid"
shop_pid=
tail -n 1 "$work/shop.log"
kill -TERM "$copy_pid"
wait "$copy_pid"
copy_pid=
"$bin/sqlite_to_sqlite" "$work/app.db" "$work/replica.db" \
  --state "$work/state" --once >>"$work/copy.log" 2>&1

flip=()
[ $self_check = no ] || flip=(--flip-one-byte)
if ! "$bin/compare_databases" "$work/app.db" "$work/replica.db" \
  "${flip[@]+"${flip[@]}"}"; then
  echo "NOT equal"
  exit 1
fi
echo "verified: 3 tables, $changes changes, 3 kills, source == replica"
