# How sluice makes targets: layers (libraries) and programs. Used by
# CMakeLists.txt.

include_guard()

# What every target of ours is compiled with. Private: consumers get none of it.
function(sluice_options target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    # g++ 12 sees uninitialized members of a std::variant that is moved, where
    # there are none (from -O2 on, depending on what it inlines).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
endfunction()

# Shares the one precompiled header (CAF and every typed interface). Only for
# targets that use CAF.
function(sluice_precompiled target)
  target_precompile_headers(${target} REUSE_FROM sluice_pch)
endfunction()

# sluice_layer(<name> [CAF]
#   [SOURCES <file>...] [USES <target>...] [USES_PRIVATE <target>...])
#
# Makes target sluice_<name>, known as sluice::<name> here and to consumers: a
# static library, or an interface library while there are no sources.
function(sluice_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 layer
    "CAF" "" "SOURCES;USES;USES_PRIVATE")
  set(target sluice_${name})
  if(layer_SOURCES)
    add_library(${target} STATIC ${layer_SOURCES})
    # The sources may be nothing but object files.
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
    sluice_options(${target})
    if(layer_CAF)
      sluice_precompiled(${target})
    endif()
    target_link_libraries(${target} PRIVATE ${layer_USES_PRIVATE})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(${target} ${scope} ${layer_USES})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${sluice_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/sluice>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  add_library(sluice::${name} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY SLUICE_LAYERS ${target})
endfunction()

# sluice_programs(USES <target>... SOURCES <file>...)
#
# One executable per file, named like the file, with the precompiled header.
function(sluice_programs)
  cmake_parse_arguments(PARSE_ARGV 0 programs "" "" "USES;SOURCES")
  foreach(source IN LISTS programs_SOURCES)
    cmake_path(GET source STEM target)
    add_executable(${target} ${source})
    sluice_options(${target})
    sluice_precompiled(${target})
    target_link_libraries(${target} PRIVATE ${programs_USES})
  endforeach()
endfunction()
