# Finds the C++ Actor Framework, whose Debian package (libcaf-dev) ships neither
# a CMake config nor a pkg-config file. Defines CAF::core and CAF::io.
#
#   find_package(CAF 0.17.6 EXACT REQUIRED COMPONENTS core)
#
# No include directory is passed on when it is one the compiler searches
# anyway: `-isystem /usr/include` breaks libstdc++'s `#include_next`.

include(FindPackageHandleStandardArgs)

if(NOT CAF_FIND_COMPONENTS)
  set(CAF_FIND_COMPONENTS core)
endif()

find_path(CAF_INCLUDE_DIR NAMES caf/config.hpp)
mark_as_advanced(CAF_INCLUDE_DIR)

if(CAF_INCLUDE_DIR)
  # 0.17.6 is spelled 1706.
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" _caf_line
       REGEX "^#define CAF_VERSION [0-9]+" LIMIT_COUNT 1)
  string(REGEX MATCH "[0-9]+" _caf_number "${_caf_line}")
  if(_caf_number)
    math(EXPR _caf_major "${_caf_number} / 10000")
    math(EXPR _caf_minor "(${_caf_number} / 100) % 100")
    math(EXPR _caf_patch "${_caf_number} % 100")
    set(CAF_VERSION "${_caf_major}.${_caf_minor}.${_caf_patch}")
  endif()
endif()

set(_caf_required_libraries "")
foreach(_caf_component IN ITEMS core io)
  string(TOUPPER "${_caf_component}" _caf_upper)
  find_library(CAF_${_caf_upper}_LIBRARY NAMES caf_${_caf_component})
  mark_as_advanced(CAF_${_caf_upper}_LIBRARY)
  if(CAF_${_caf_upper}_LIBRARY)
    set(CAF_${_caf_component}_FOUND TRUE)
  endif()
  if(_caf_component IN_LIST CAF_FIND_COMPONENTS)
    list(APPEND _caf_required_libraries CAF_${_caf_upper}_LIBRARY)
  endif()
endforeach()

find_package_handle_standard_args(CAF
  REQUIRED_VARS ${_caf_required_libraries} CAF_INCLUDE_DIR
  VERSION_VAR CAF_VERSION
  HANDLE_COMPONENTS)

if(CAF_FOUND)
  find_package(Threads REQUIRED)
  foreach(_caf_component IN ITEMS core io)
    string(TOUPPER "${_caf_component}" _caf_upper)
    if(CAF_${_caf_component}_FOUND AND NOT TARGET CAF::${_caf_component})
      add_library(CAF::${_caf_component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${_caf_component} PROPERTIES
        IMPORTED_GLOBAL TRUE
        IMPORTED_LOCATION "${CAF_${_caf_upper}_LIBRARY}")
      if(NOT CAF_INCLUDE_DIR IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
        set_target_properties(CAF::${_caf_component} PROPERTIES
          INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
      endif()
    endif()
  endforeach()
  target_link_libraries(CAF::core INTERFACE Threads::Threads)
  if(TARGET CAF::io)
    target_link_libraries(CAF::io INTERFACE CAF::core)
  endif()
endif()
