#!/usr/bin/env bash
# Breaks the code in a line or two at a time and demands that it is noticed: by
# the exploration or the simulation, and by the unit test that says so.
#   tests/mutants/run.sh                 all mutants
#   tests/mutants/run.sh <name>...       these, e.g. reset_uses_requested_ts
#   tests/mutants/run.sh --pick 3        so many, others every day (UTC)
#     --only-simulation                  without the unit tests
#   MUTANTS_DIR=<dir>                    works there and keeps it for next time
#   MUTANT_SEEDS=<n> MUTANT_TIMEOUT=<s>  per mutant 10,000 and, per program, 120
#
# Prints the table of tests/README.md. A mutant is a unified diff (-p1) whose
# first lines say who notices it:
#   # kills: <test executable> -tc="<exact title>"
#   # beyond: <why neither exploration nor simulation can>
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mutants=$root/tests/mutants
seeds=${MUTANT_SEEDS:-10000}
units=yes
pick=0
names=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --only-simulation) units=no ;;
    --pick) pick=$2; shift ;;
    -*) sed -n '2,15s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done

work=${MUTANTS_DIR:-}
if [[ -z $work ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
tree=$work/tree
build=$tree/build/release # as a checkout's: ccache finds what that has compiled
log=$work/log
mkdir -p "$tree"
export SLUICE_SOURCE_DIR=$tree # for the tests that read docs

# -- which --------------------------------------------------------------------

header() { sed -n "1,/^---/s/^# $1: //p" "$mutants/$2.patch"; }
beyond() { header beyond "$1"; }
executable() { header kills "$1" | sed 's/ .*//'; }
title() { header kills "$1" | sed 's/^[^ ]* -tc="\(.*\)"$/\1/'; }

if [[ ${#names[@]} -eq 0 ]]; then
  for patch in "$mutants"/*.patch; do
    names+=("$(basename "$patch" .patch)")
  done
fi
if [[ $pick -gt 0 ]]; then
  first=$(($(date +%s) / 86400 * pick))
  picked=()
  for ((i = first; i < first + pick; ++i)); do
    picked+=("${names[i % ${#names[@]}]}")
  done
  names=("${picked[@]}")
fi

# -- building -----------------------------------------------------------------

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

# targets_of <name>...: what has to be built for them, one a line
targets_of() {
  local name
  for name in "$@"; do
    [[ -n $(beyond "$name") ]] || printf 'exhaust\nsimulate\n'
    [[ $units == no ]] || executable "$name"
  done | sort -u
}

build_for() {
  local targets
  mapfile -t targets < <(targets_of "$@")
  [[ ${#targets[@]} -eq 0 ]] ||
    cmake --build "$build" --target "${targets[@]}" -j "$(nproc)" >"$log" 2>&1
}

# -- running ------------------------------------------------------------------

# run <program> <argument>...: its output is in the log, its end in `ended`
run() {
  local status=0
  timeout -k 5 "${MUTANT_TIMEOUT:-120}" "$build/bin/$1" "${@:2}" \
    >"$log" 2>&1 || status=$?
  case $status in
    0) ended=well ;;
    1) ended=failed ;;
    124 | 137) ended='never ends' ;;
    *) ended="ended by $status" ;;
  esac
}

# Sets `explored`: empty, or the first scenario in which something is noticed.
explore() {
  run exhaust
  explored=
  [[ $ended == well ]] && return
  explored=$(awk '
    / schedules .* violations / { if (what) exit; scenario = $1 }
    / does not hold in / { what = what $1 " " }
    / was never (looked|reached)/ && !what { what = "\"" substr($0, 3) "\" " }
    END { if (what) print what "in " scenario }
  ' "$log")
  [[ $ended == failed && -n $explored ]] || explored=$ended
}

# Sets `simulated`, empty or what is noticed, and `seed`.
simulate() {
  run simulate --seeds "$seeds" --faults all --brief
  simulated='' seed=''
  [[ $ended == well ]] && return
  simulated=$(sed -n 's/^\([A-Za-z0-9-]*\) does not hold, seed .*/\1/p' "$log")
  seed=$(sed -n 's/^.* does not hold, seed \([0-9]*\):.*/\1/p' "$log")
  [[ $ended == failed ]] || simulated=$ended
  [[ -n $simulated ]] || simulated=$(tail -1 "$log")
}

# Sets `tested`: what became of the test named.
run_unit() {
  local title
  title=$(title "$1")
  run "$(executable "$1")" -tc="${title//,/?}" # a comma separates titles there
  tested=$ended
  [[ $ended != well ]] || grep -q 'test cases: *[1-9]' "$log" ||
    tested='no such test'
}

# -- one mutant after the other -----------------------------------------------

problems=()
problem() { problems+=("$1: $2"); }

row() { printf '| %s | %s | %s | %s | %s |\n' "$@"; }

judge() {
  local name=$1 explored='' simulated='' seed='' tested='' unit reason
  reason=$(beyond "$name")
  if [[ -n $reason ]]; then
    explored="beyond it: $reason"
  else
    explore
    simulate
    [[ -n $explored || -n $simulated ]] ||
      problem "$name" 'neither explored nor simulated schedules notice'
  fi
  unit=$(title "$name")
  if [[ $units == yes && -n $unit ]]; then
    run_unit "$name"
    case $tested in
      failed) ;;
      well | no*) problem "$name" "its test, $unit: $tested" ;;
    esac
    [[ $tested == failed ]] || unit+=" ($tested)"
  fi
  row "$name" "${explored:--}" "${simulated:--}" "${seed:--}" "${unit:--}"
}

# Everything holds without a mutant; else nothing follows from a failure.
check_unbroken() {
  local name tested explored='' simulated='' seed=''
  build_for "${names[@]}" || { tail -40 "$log"; exit 1; }
  if targets_of "${names[@]}" | grep -q '^exhaust$'; then
    explore
    simulate
  fi
  [[ -z $explored$simulated ]] ||
    { echo "without a mutant: $explored $simulated $seed"; exit 1; }
  [[ $units == yes ]] || return 0
  for name in "${names[@]}"; do
    [[ -n $(title "$name") ]] || continue
    run_unit "$name"
    [[ $tested == well ]] ||
      { echo "without a mutant: $(title "$name"): $tested"; exit 1; }
  done
}

# with_mutant <name>: breaks, judges, mends
with_mutant() {
  local file patch=$mutants/$1.patch
  local broken
  mapfile -t broken < <(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$patch")
  if ! patch -d "$tree" -p1 -s -f <"$patch" >"$log" 2>&1; then
    problem "$1" 'the patch does not apply'
  elif ! build_for "$1"; then
    problem "$1" "it does not compile: $(grep -m1 'error:' "$log")"
  else
    judge "$1"
  fi
  # The time is now, so that it is built again.
  for file in "${broken[@]}"; do
    cp "$root/$file" "$tree/$file"
    rm -f "$tree/$file.orig" "$tree/$file.rej"
  done
}

copy_tree
[[ -f $build/build.ninja ]] ||
  cmake -S "$tree" --preset release -Wno-dev >"$log" ||
  { cat "$log"; exit 1; }
check_unbroken

row mutant explored simulated seed 'unit test that says so'
row --- --- --- --- ---
for name in "${names[@]}"; do
  with_mutant "$name"
done
printf '\n%d mutants, %d problems\n' "${#names[@]}" "${#problems[@]}"
[[ ${#problems[@]} -eq 0 ]] || { printf '%s\n' "${problems[@]}"; exit 1; }
