# Test executables: one folder, one executable, one ctest label.

include_guard()

find_package(doctest 2.4.9 CONFIG REQUIRED)
find_package(rapidcheck CONFIG QUIET)
include(doctest)

add_library(doctest_main OBJECT support/doctest_main.cpp)
target_link_libraries(doctest_main PUBLIC doctest::doctest)
target_compile_features(doctest_main PUBLIC cxx_std_20)

# sluice_test(<label> USES <target>... [CAF] [LONG] [TIMEOUT <seconds>])
#
# Makes test_<label> from tests/<label>/*.cpp and one ctest test, named
# "<label>/<name>", for each TEST_CASE in it. Without sources test_<label> is an
# empty target, so that scripts may always build it.
function(sluice_test label)
  cmake_parse_arguments(PARSE_ARGV 1 test "CAF;LONG" "TIMEOUT" "USES")
  set(target test_${label})
  file(GLOB sources CONFIGURE_DEPENDS ${label}/*.cpp)
  if(NOT sources)
    add_custom_target(${target})
    return()
  endif()

  add_executable(${target} ${sources})
  sluice_options(${target})
  if(test_CAF)
    sluice_precompiled(${target})
  endif()
  target_link_libraries(${target} PRIVATE doctest_main ${test_USES})
  if(TARGET rapidcheck)
    target_link_libraries(${target} PRIVATE rapidcheck)
  endif()

  # Properties go into a file of their own: PROPERTIES of doctest_discover_tests
  # cannot hold a list, and a test has two labels when it is long.
  doctest_discover_tests(${target}
    TEST_PREFIX "${label}/"
    WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  set(labels ${label})
  if(test_LONG)
    list(APPEND labels long)
  endif()
  if(NOT test_TIMEOUT)
    set(test_TIMEOUT 10)
    if(SLUICE_SANITIZE)
      set(test_TIMEOUT 60)
    endif()
  endif()
  if(SLUICE_SANITIZE MATCHES "thread")
    math(EXPR test_TIMEOUT "10 * ${test_TIMEOUT}")
  endif()
  set(suppressions "${CMAKE_CURRENT_SOURCE_DIR}/support/ubsan.supp")
  set(environment
    "UBSAN_OPTIONS=suppressions=${suppressions}:print_stacktrace=1"
    "SLUICE_SOURCE_DIR=${sluice_SOURCE_DIR}")
  # What a machine does not allow is counted as skipped, not as passed.
  # A filter that matches no test case succeeds: that must not count as passed.
  file(CONFIGURE OUTPUT ${target}_properties.cmake @ONLY CONTENT
"foreach(name IN LISTS @target@_TESTS)
  set_tests_properties(\"\${name}\" PROPERTIES
    LABELS \"@labels@\"
    TIMEOUT @test_TIMEOUT@
    FAIL_REGULAR_EXPRESSION \"test cases: +0 \"
    SKIP_REGULAR_EXPRESSION \"SKIPPED: \"
    ENVIRONMENT \"@environment@\")
endforeach()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES
    "${CMAKE_CURRENT_BINARY_DIR}/${target}_properties.cmake")
endfunction()
