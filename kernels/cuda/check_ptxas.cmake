# cmake -DNVCC=... -DFLAGS=... -DARCHITECTURES=... -DSOURCE=... -DOUTPUT=... -DPYTHON=... -DCENSUS=... -DCENSUS_OPTION=...
# -P check_ptxas.cmake
#
# Compiles a source to a cubin for each architecture and fails if ptxas spills a register or serialises a pipeline
# (warnings C7508, C7510 to C7518), or if the census of instructions (tests/kernels/cubin_census.py) finds others than it
# expects.
set(cubins)
foreach(architecture ${ARCHITECTURES})
  set(cubin ${OUTPUT}.${architecture}.cubin)
  execute_process(
    COMMAND ${NVCC} ${FLAGS} -arch=${architecture} -Xptxas -v -cubin -o ${cubin} ${SOURCE}
    OUTPUT_VARIABLE report ERROR_VARIABLE report RESULT_VARIABLE failed)
  message("${architecture}\n${report}")
  if(failed)
    message(FATAL_ERROR "nvcc failed for ${architecture}")
  endif()
  string(REGEX MATCHALL "[0-9]+ bytes spill stores, [0-9]+ bytes spill loads" spills "${report}")
  if(NOT spills)
    message(FATAL_ERROR "ptxas reported no kernel for ${architecture}")
  endif()
  foreach(spill ${spills})
    if(NOT spill STREQUAL "0 bytes spill stores, 0 bytes spill loads")
      message(FATAL_ERROR "${architecture}: ${spill}")
    endif()
  endforeach()
  if(report MATCHES "C75(08|1[0-8])")
    message(FATAL_ERROR "${architecture}: ptxas serialises a pipeline")
  endif()
  list(APPEND cubins ${cubin})
endforeach()
execute_process(COMMAND ${PYTHON} ${CENSUS} ${CENSUS_OPTION} ${cubins} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the census of instructions of ${SOURCE} differs")
endif()
