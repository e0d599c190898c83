#!/usr/bin/env bash
# Builds and runs all fuzz targets, each for a number of executions:
#   tests/fuzz/run.sh [executions]
# Seeds are in corpus/, what libFuzzer adds to them stays in build/fuzz. An input
# that fails is written there, too; run the program with it as its argument.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
executions=${1:-200000}
build=build/fuzz

mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -Wno-dev --no-warn-unused-cli \
  -DSLUICE_FUZZ=ON -DSLUICE_TESTS=OFF \
  -DSLUICE_WERROR=ON -DCMAKE_TOOLCHAIN_FILE=cmake/clang_toolchain.cmake \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g" >"$build.configure.log" ||
  { cat "$build.configure.log"; exit 1; }
cmake --build "$build" --target fuzz

for source in tests/fuzz/*_fuzz.cpp; do
  name=$(basename "$source" _fuzz.cpp)
  log=$build/$name.log
  mkdir -p "$build/corpus/$name"
  printf '\n==== %s\n' "$name"
  # Lengths up to 1 KiB: longer ones find no more, and find it slower.
  "$build/bin/${name}_fuzz" -runs="$executions" -max_len=1024 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="$build/$name-" \
    "$build/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 ||
    { cat "$log"; exit 1; }
  grep '^stat::' "$log"
done
