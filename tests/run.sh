#!/usr/bin/env bash
# Everything that CI checks, on a machine that may have nothing installed:
#   g++             build all, run all tests
#   simulation      20,000 schedules of the whole service, from a seed of the
#                   day's seconds; all schedules of small scenarios
#   asan            ASan and UBSan over all but the slow labels
#   clang           every translation unit has to pass clang's front end
#   fuzz            bytes that nobody would send, for the decoders
#   mutants         three, others every day: the schedules and the test that
#                   are there for it have to notice a line that was broken
#   --all           also: build and run everything with clang and as release;
#                   ThreadSanitizer over the store; 1,000 kills of a process
#                   that writes a log; 10,000 random histories of SQLite; all
#                   benches, whose figures need a machine without other work;
#                   and all mutants
# Ends with a table of times and ctest's summary.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
all=no
case "${1:-}" in
  --all) all=yes ;;
  "") ;;
  *) echo "usage: run.sh [--all]" >&2; exit 2 ;;
esac

jobs=$(nproc)
asan_labels=(states messages store sqlite postgres scenarios)
logs=build/logs
table=()
mkdir -p "$logs"

# step <name> <command>...: runs it, notes its time; the first failure ends all.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n==== %s\n' "$name"
  if ! "$@"; then
    printf '\nFAILED: %s\n' "$name"
    exit 1
  fi
  table+=("$(printf '%6d s  %s' $((SECONDS - start)) "$name")")
}

# build <preset> [<target>...]
build() {
  cmake --preset "$1" -Wno-dev >"$logs/$1.configure.log" ||
    { cat "$logs/$1.configure.log"; return 1; }
  cmake --build --preset "$1" -j "$jobs" "${@:2}"
}

build_asan() {
  build asan --target "${asan_labels[@]/#/test_}"
}

# run_tests <preset> [<ctest argument>...]
run_tests() {
  local log="$logs/$1.ctest.log"
  if ! ctest --preset "$1" -j "$jobs" "${@:2}" >"$log" 2>&1; then
    cat "$log" # what failed, in full, and the summary as the last lines
    return 1
  fi
  grep -E '^[0-9]+% tests passed' "$log"
}

# Fresh seeds each time; the one that fails is printed.
simulate() {
  build/dev/bin/simulate --seeds 20000 --start "$(date +%s)00000" --faults all
}

run_asan() {
  local labels
  labels=$(IFS='|'; echo "${asan_labels[*]}")
  run_tests asan -L "^($labels)$"
}

# clang's front end alone over what it would compile: no code is generated.
clang_syntax() {
  build clang --target sluice_pch || return 1
  # "command": "<json string>" -> the command, one a line
  sed -n 's/^ *"command": "\(.*\)",$/\1/p' build/clang/compile_commands.json |
    sed 's/\\\(["\\]\)/\1/g; s/ -o [^ ]* / /' |
    grep -v 'cmake_pch\.hxx\.cxx' >"$logs/clang.commands"
  echo "$(wc -l <"$logs/clang.commands") translation units"
  (cd build/clang &&
    xargs -d '\n' -P "$jobs" -I{} sh -c '{} -fsyntax-only' \
      <"../logs/clang.commands")
}

# Each checks what it measures; the memory's fails beyond its bound.
benches() {
  local bench
  for bench in generator_to_callback sqlite_to_sqlite_bench commit_latency \
    stopped_sink; do
    printf '\n%s\n' "$bench"
    "build/release/bin/$bench" || return 1
  done
}

step 'install what is missing' bash cmake/install_deps.sh
step 'g++: build' build dev
step 'g++: all tests' run_tests dev
step 'simulation: 20,000 fresh seeds' simulate
step 'exploration: small scenarios' build/dev/bin/exhaust
step 'asan: build' build_asan
step "asan: ${asan_labels[*]}" run_asan
step 'clang: front end' clang_syntax
step 'fuzz: 200,000 executions each' bash tests/fuzz/run.sh 200000
if [[ $all == no ]]; then
  step 'mutants: three' bash tests/mutants/run.sh --pick 3
else
  for preset in clang release; do
    step "$preset: build" build "$preset"
    step "$preset: all tests" run_tests "$preset"
  done
  step 'tsan: build' build tsan --target test_store
  step 'tsan: store' run_tests tsan -L '^store$'
  step 'a log: 1,000 kills' env SLUICE_KILLS=1000 \
    build/release/bin/test_store --test-case='what append returned survives*'
  step 'histories of SQLite: 10,000' env SLUICE_HISTORIES=10000 \
    build/release/bin/test_histories --test-case='Random histories*'
  step 'benches' benches
  step 'mutants: all' bash tests/mutants/run.sh
fi

printf '\n==== times\n'
printf '%s\n' "${table[@]}" "$(printf '%6d s  total' "$SECONDS")"
printf '\n==== tests by label, g++ (seconds of processor, number of tests)\n'
sed -n '/^Label Time Summary:/,/^$/p' "$logs/dev.ctest.log" | sed '1d;/^$/d'
printf '\n==== g++: all tests\n'
grep -E '^([0-9]+% tests passed|Total Test time)' "$logs/dev.ctest.log"
