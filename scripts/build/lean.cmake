# Read by llama.cpp's build through CMAKE_PROJECT_INCLUDE: builds the library and nothing around it.
#
# llama-cpp-python forces these two on in the cache; normal variables shadow cache entries.
set(LLAMA_BUILD_COMMON OFF)
set(LLAMA_BUILD_TOOLS OFF)

# ggml's sources define the same static names in several files, which a unity build would put together.
function(codegemma_lsp_no_unity)
  foreach(target ggml-cpu ggml-base)
    if(TARGET ${target})
      set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
    endif()
  endforeach()
endfunction()

if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL codegemma_lsp_no_unity)
endif()
