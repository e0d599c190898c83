#!/usr/bin/env bash
# An application and the index that follows it: prints what search_index says
# before and after the application has changed its documents.
#
#   examples/search_index.sh build/release/bin/search_index
set -euo pipefail
search_index=${1:?give the path of the program search_index}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

application() { sqlite3 app.db "PRAGMA busy_timeout = 5000" "$1" >/dev/null; }
ask() {
  echo "\$ search_index app.db index.db $1"
  "$search_index" app.db index.db "$1"
}

application "
  CREATE TABLE documents(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
  INSERT INTO documents VALUES
    (1, 'Ferries', 'The ferry leaves at noon.'),
    (2, 'Trains', 'No train at night.'),
    (3, 'Harbour', 'Where the ferry lands.')"
ask ferry # a marker that the copy begins, and three rows
application "
  DELETE FROM documents WHERE id = 1;
  UPDATE documents SET body = 'A bus at night.' WHERE id = 2;
  INSERT INTO documents VALUES (4, 'Night ferry', 'It leaves late.')"
ask ferry # three changes: what came before is not read again
ask night # nothing new
