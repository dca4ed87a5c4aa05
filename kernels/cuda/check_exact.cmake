# cmake -DNVCC=... -DFLAGS=... -DSOURCE=... -DOUTPUT=... -P check_exact.cmake
#
# Fails where the PTX of a source fuses a product with a sum, or leaves it to ptxas whether to: an instruction without
# .rn may be fused. The same source without -fmad=false must fail, or this would see nothing.
function(fused out)
  execute_process(COMMAND ${NVCC} ${ARGN} -arch=compute_80 -ptx -o ${OUTPUT}.ptx ${SOURCE} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "nvcc failed")
  endif()
  file(READ ${OUTPUT}.ptx ptx)
  string(REGEX MATCHALL "(fma|mad|mul|add|sub)(\\.ftz)?(\\.rn)?(\\.ftz)?\\.f(32|64)" operations "${ptx}")
  set(exact ${operations})
  list(FILTER exact INCLUDE REGEX "^(mul|add|sub)\\.rn\\.f")
  list(LENGTH operations all)
  list(LENGTH exact good)
  math(EXPR bad "${all} - ${good}")
  message("${ARGN}: ${good} products and sums rounded by themselves, ${bad} others")
  set(${out} ${bad} PARENT_SCOPE)
  set(${out}_rounded ${good} PARENT_SCOPE)
endfunction()

fused(exact ${FLAGS} -fmad=false)
fused(plain ${FLAGS})
if(NOT exact EQUAL 0 OR exact_rounded EQUAL 0 OR plain EQUAL 0)
  message(FATAL_ERROR "${SOURCE}: ${exact} operations may be fused with -fmad=false, ${plain} without")
endif()
