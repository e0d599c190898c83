# Picks Debian's clang, whatever the package calls it. Used by preset `clang`.
find_program(SLUICE_CLANGXX NAMES clang++ clang++-14 REQUIRED)
set(CMAKE_CXX_COMPILER "${SLUICE_CLANGXX}")
