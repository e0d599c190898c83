# Runs PROGRAM and compares what it prints with the file RECORDED.
#   cmake -DPROGRAM=... [-DARGUMENTS=...] -DRECORDED=... -P compare_output.cmake
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} OUTPUT_VARIABLE printed
  RESULT_VARIABLE status)
file(READ ${RECORDED} recorded)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}:\n${printed}")
endif()
if(NOT printed STREQUAL recorded)
  message(FATAL_ERROR "${PROGRAM} printed\n${printed}\ninstead of what "
    "${RECORDED} has:\n${recorded}")
endif()
