#!/usr/bin/env bash
# The hygiene of the code, tested: each rule is one line or one short function.
# Prints `file:line: text` for each breach and fails if there is one; a warning
# does not fail. `tidy.sh <directory>` looks at another tree (for its own test).
set -euo pipefail
export LC_ALL=C.UTF-8 # columns are characters, not bytes

cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
breaches=0

# Files of the project: what git knows or would add, without build trees.
mapfile -t files < <(
  { git ls-files --cached --others --exclude-standard 2>/dev/null ||
    find . -type f -not -path './build/*' -not -path './.git/*' \
      -printf '%P\n'; } | sort -u | while IFS= read -r file; do
    [[ -f $file ]] && printf '%s\n' "$file"
  done)

# select_files <regex> [<regex of exceptions>]
select_files() {
  printf '%s\n' "${files[@]}" | grep -P "$1" | grep -vP "${2:-^$}" || true
}

# report <rule>, breaches on stdin
report() {
  local rows
  rows=$(cat)
  [[ -z $rows ]] && return
  printf '%s:\n%s\n\n' "$1" "$rows"
  breaches=$((breaches + $(wc -l <<<"$rows")))
}

# forbid <rule> <regex of lines> <regex of files> [<regex of exceptions>]
forbid() {
  report "$1" < <(select_files "$3" "${4:-}" |
    xargs -r -d '\n' grep -HInP -e "$2" || true)
}

code='\.(hpp|cpp)$'
include='^\s*#\s*include\s*[<"]'
caf_headers='^messages/(type_ids|interfaces|caf_compat)\.hpp$'

# ---- Text. -------------------------------------------------------------------

forbid 'longer than 80 columns' '^(?!.*https?://).{81,}' "$code"
forbid 'tab or space at the end of a line' '\t|\s$' "$code"
forbid 'TODO without the number of an issue, as in TODO(#12)' \
  '\b(TODO|FIXME|XXX)\b(?!\(#\d+\))' '\.(hpp|cpp|cmake)$|CMakeLists\.txt$'
forbid 'path of one machine' '(?<![\w.~-])/(work|root|home)/' '.'

report 'header without #pragma once' < <(select_files '\.hpp$' |
  xargs -r -d '\n' grep -LP '^#pragma once$' || true)

# ---- Layers. -----------------------------------------------------------------

forbid 'CAF where there is none' "${include}caf/" \
  '^(messages/.*\.hpp|store/.*|actors/.*_state\.(hpp|cpp))$' "$caf_headers"
forbid 'CAF by way of a message header' \
  "${include}messages/(type_ids|interfaces|caf_compat)\.hpp" \
  '^(messages/.*\.hpp|store/.*|actors/.*_state\.(hpp|cpp))$' "$caf_headers"
forbid 'messages includes what stands above it' "${include}(store|actors)/" \
  '^messages/'
forbid 'store includes what stands above it' "${include}actors/" '^store/'
forbid 'a state includes more than messages and states' \
  "${include}(store/|actors/(?!.*_state\.hpp))" \
  '^actors/.*_state\.(hpp|cpp)$'
forbid 'lock or atomic in the protocol: the mailbox serializes' \
  '^((?!//).)*(std::(\w*mutex|atomic\w*|\w+_lock|lock_guard|condition_variable\w*)\b|compare_exchange|#\s*include\s*<(mutex|shared_mutex|atomic|condition_variable)>)' \
  '^(messages|actors)/.*'"$code" '_queue\.(hpp|cpp)$'

# An actor's header declares a behavior. Only service.* may include another's.
actor_includes_actor() {
  local header own
  select_files '^actors/.*\.hpp$' '^actors/service\.hpp$' |
    xargs -r -d '\n' grep -lP 'behavior_type' |
    while IFS= read -r header; do
      own="^(${header%.hpp}\.(hpp|cpp)|actors/service(\.|_|/).*)$"
      select_files '^actors/' "$own" |
        xargs -r -d '\n' grep -HnP "${include}${header}[>\"]" || true
    done
}
report 'an actor includes another actor' < <(actor_includes_actor || true)

# ---- Sizes. ------------------------------------------------------------------

mapfile -t sizes < <(select_files "$code" | xargs -r -d '\n' wc -l |
  awk '$2 != "total" && $1 > 400 { print $1, $2 }' | sort -rn)
for row in "${sizes[@]}"; do
  [[ ${row%% *} -gt 700 ]] || echo "warning: ${row#* } has ${row%% *} lines"
done
report 'more than 700 lines' < <(printf '%s\n' "${sizes[@]}" |
  awk '$1 > 700 { print $2 ": " $1 " lines" }')

# ---- Tests: ctest gets one test per name. ------------------------------------

# A name over several lines is left to the check in cmake/sluice_test.cmake.
title='\b(TEST_CASE|TEST_CASE_FIXTURE|SCENARIO)\(.*?"\K[^"]*'
forbid 'name of a test with a character that ctest or doctest reads: ;*?[]\' \
  "$title"'(?<=[;*?\[\]\\])' '^tests/.*\.cpp$'

# same_title: "<folder>: <title>" for each title that a folder has twice
same_title() {
  select_files '^tests/[^/]+/[^/]+\.cpp$' |
    xargs -r -d '\n' grep -HoP "$title"'(?="\))' |
    sed -E 's#^tests/([^/]+)/[^:]*:#\1: #' | sort | uniq -d
}
report 'name of a test given twice in one folder' < <(same_title || true)

# ---- Documents. --------------------------------------------------------------

# A page in two languages has the same sections, tables and blocks in both.
shape_of() {
  awk '/^(## |\|-|```)/ { print substr($0, 1, 2) } /^\|/ { print gsub(/\|/, "") }' \
    "$1"
}
other_shape() {
  local page
  select_files '^docs/.*\.zh\.md$' | while IFS= read -r page; do
    cmp -s <(shape_of "$page") <(shape_of "${page%.zh.md}.md") || echo "$page"
  done
}
report 'sections, tables or blocks differ from the other language' \
  < <(other_shape || true)

# missing_tests: what a table names as `| test | folder/file_test |`
missing_tests() {
  local page title file
  select_files '^docs/failure_analysis(\.zh)?\.md$' | while IFS= read -r page; do
    sed -nE 's#^\|.* \| ([^|]+) \| ([a-z]+/[a-z_]+_test) \|$#\1\t\2#p' "$page" |
      while IFS=$'\t' read -r title file; do
        grep -qsF "\"$title\"" "tests/$file.cpp" || echo "$page: $title"
      done
  done
}
report 'a document names a test that is not there' < <(missing_tests || true)

# other_figures: of a schedule or a table row, if the program printed another
other_figures() {
  local page printed=examples/mailbox_vs_cas.txt
  select_files '^docs/failure_analysis(\.zh)?\.md$' | while IFS= read -r page; do
    grep -P '^ +\d+  |^\d.*: (scan below|row lost|checkpoint moved)' "$page" |
      grep -vxFf "$printed" | sed "s#^#$page: #"
    diff -b <(grep -oP "^\d'? .*?\K( +[\d-]+){7}$" "$printed" | tr -s ' -' ' ') \
      <(sed -nE "s#^\| [0-9]'?: [^|]*((\|[ 0-9,]*){7})\|\$#\1#p" "$page" |
        tr -d ',' | tr -s ' |' ' ') | grep '^[<>]' | sed "s#^#$page: #"
  done
}
report 'figures that mailbox_vs_cas does not print' < <(other_figures || true)

if [[ $breaches -gt 0 ]]; then
  echo "tidy: $breaches breaches"
  exit 1
fi
echo "tidy: ${#files[@]} files are clean"
