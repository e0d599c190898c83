#!/usr/bin/env bash
# Builds and runs fuzz targets, each for a number of executions:
#   tests/fuzz/run.sh [target...] [executions]
# All without a name; `row 10000000` is x = row of x_fuzz.cpp. Seeds are in
# corpus/, what libFuzzer adds to them stays in build/fuzz. An input that fails
# is written there, too; run the program with it as its argument.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
executions=200000
names=()
for argument in "$@"; do
  if [[ $argument =~ ^[0-9]+$ ]]; then
    executions=$argument
  elif [[ -f tests/fuzz/${argument}_fuzz.cpp ]]; then
    names+=("$argument")
  else
    echo "run.sh: there is no target $argument" >&2
    exit 2
  fi
done
if [[ ${#names[@]} == 0 ]]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    names+=("$(basename "$source" _fuzz.cpp)")
  done
fi
build=build/fuzz

# Longer inputs find no more, and find it slower.
length_of() {
  case $1 in
    index) echo 128 ;;
    manifest) echo 256 ;;
    row) echo 512 ;;
    segment) echo 1500 ;; # two files of two batches and a mark, a spool file
    *) echo 1024 ;;
  esac
}

mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -Wno-dev --no-warn-unused-cli \
  -DSLUICE_FUZZ=ON -DSLUICE_TESTS=OFF \
  -DSLUICE_WERROR=ON -DCMAKE_TOOLCHAIN_FILE=cmake/clang_toolchain.cmake \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g" >"$build.configure.log" ||
  { cat "$build.configure.log"; exit 1; }
cmake --build "$build" --target "${names[@]/%/_fuzz}"

for name in "${names[@]}"; do
  log=$build/$name.log
  mkdir -p "$build/corpus/$name"
  printf '\n==== %s\n' "$name"
  "$build/bin/${name}_fuzz" -runs="$executions" \
    -max_len="$(length_of "$name")" -entropic=0 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="$build/$name-" \
    "$build/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 ||
    { cat "$log"; exit 1; }
  grep '^stat::' "$log"
done
