#!/usr/bin/env bash
# Breaks the code in one line at a time and demands that exactly the tests
# that say so notice it.
#   tests/mutants/run.sh                 all mutants
#   tests/mutants/run.sh <name>...       these, e.g. reset_uses_requested_ts
#   MUTANTS_DIR=<dir>                    works there and keeps it for next time
#
# A mutant is a unified diff (-p1) whose first lines say who notices it:
#   # kills: <test executable> -tc="<exact title>"
#   # also: <shell pattern of titles that may fail with it>
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mutants=$root/tests/mutants
if [[ -n ${MUTANTS_DIR:-} ]]; then
  work=$MUTANTS_DIR
  mkdir -p "$work"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
tree=$work/tree
build=$work/build
export SLUICE_SOURCE_DIR=$tree # for the tests that read docs

names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
  for patch in "$mutants"/*.patch; do
    names+=("$(basename "$patch" .patch)")
  done
fi

executable_of() { sed -n '1s/^# kills: \([^ ]*\) .*/\1/p' "$1"; }
title_of() { sed -n '1s/^# kills: [^ ]* -tc="\(.*\)"$/\1/p' "$1"; }

# The tree as it is. What is the same keeps its time and isn't built again; a
# file that was a mutant is newer than what was built of it, and so it is.
copy_tree() {
  local file
  while IFS= read -r -d '' file; do
    cmp -s "$root/$file" "$tree/$file" && continue
    mkdir -p "$(dirname "$tree/$file")"
    cp "$root/$file" "$tree/$file"
  done < <(cd "$root" && find . \
    \( -path ./build -o -path ./.git -o -path ./tests/mutants \) -prune -o \
    -type f -print0)
}

build_targets() {
  cmake --build "$build" --target "$@" >"$work/build.log" 2>&1
}

# Titles of the failed test cases of an executable, one a line.
failures_of() {
  timeout "${MUTANT_TIMEOUT:-120}" "$build/bin/$1" --reporters=xml \
    2>/dev/null >"$work/result.xml" || true
  awk '
    /<TestCase / {
      name = $0
      sub(/.*<TestCase name="/, "", name)
      sub(/".*/, "", name)
      open = 1
    }
    /<OverallResultsAsserts / && open {
      if ($0 ~ /test_case_success="false"/) print name
      open = 0
    }
    END { if (open) print name } # it ended the process, or never ended
  ' "$work/result.xml" |
    sed "s/&lt;/</g; s/&gt;/>/g; s/&quot;/\"/g; s/&apos;/'/g; s/&amp;/\&/g"
}

# Sets verdict and detail of one mutant.
judge() {
  local patch=$1 title failed line pattern known killed=no
  title=$(title_of "$patch")
  verdict=killed detail=$title
  mapfile -t also < <(sed -n 's/^# also: //p' "$patch")
  failed=$(failures_of "$(executable_of "$patch")")
  while IFS= read -r line; do
    [[ -z $line ]] && continue
    if [[ $line == "$title" ]]; then
      killed=yes
      continue
    fi
    known=no
    for pattern in "${also[@]}"; do
      # shellcheck disable=SC2053
      [[ $line == $pattern ]] && known=yes
    done
    if [[ $known == no ]]; then
      verdict=unexpected
      detail+=$'\n'"              failed, too: $line"
    fi
  done <<<"$failed"
  if [[ $killed == no ]]; then
    verdict=SURVIVED
  fi
}

copy_tree
targets=()
for name in "${names[@]}"; do
  targets+=("$(executable_of "$mutants/$name.patch")")
done
mapfile -t targets < <(printf '%s\n' "${targets[@]}" | sort -u)
[[ -f $build/build.ninja ]] ||
  cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -Wno-dev \
    >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
build_targets "${targets[@]}" || { tail -40 "$work/build.log"; exit 1; }
for target in "${targets[@]}"; do
  failed=$(failures_of "$target")
  [[ -z $failed ]] ||
    { printf 'fails without any mutant: %s\n' "$failed"; exit 1; }
done

bad=0
for name in "${names[@]}"; do
  patch=$mutants/$name.patch
  verdict='' detail=''
  file=$(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$patch")
  cp "$tree/$file" "$work/unbroken"
  if ! patch -d "$tree" -p1 -s <"$patch" >"$work/patch.log" 2>&1; then
    verdict='STALE' detail='the patch does not apply'
  elif ! build_targets "$(executable_of "$patch")"; then
    verdict='BROKEN' detail='it does not compile'
  else
    judge "$patch"
  fi
  printf '%-11s %-34s %s\n' "$verdict" "$name" "$detail"
  [[ $verdict == killed ]] || bad=$((bad + 1))
  # Back to what it was. The time is now, so that it is built again.
  cp "$work/unbroken" "$tree/$file"
  rm -f "$tree/$file.orig" "$tree/$file.rej"
done
printf '%d mutants, %d not killed as they should be\n' "${#names[@]}" "$bad"
[[ $bad -eq 0 ]]
