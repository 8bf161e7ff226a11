# SPDX-License-Identifier: BSD-2-Clause
# vmm_add_aml(TARGET FILE.asl...)
#
# Compiles ACPI source with iasl while TARGET is built (warnings are errors) and makes it a C
# header that sources of TARGET can include: FILE.asl gives "FILE.aml.h", with
#
#     static const unsigned char FILE_aml[] = { ... };
#
# where characters of FILE that C does not allow in a name are '_'. TARGET is a plugin or a library
# of this directory.
find_program(VMM_IASL iasl DOC "ACPI source language compiler (package acpica-tools)")

function(vmm_add_aml target)
  if(NOT VMM_IASL)
    message(FATAL_ERROR "iasl was not found; install the package acpica-tools or set VMM_IASL")
  endif()
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/${target}-aml)
  foreach(asl IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH asl NORMALIZE)
    cmake_path(GET asl STEM name)
    string(MAKE_C_IDENTIFIER ${name}_aml symbol)
    add_custom_command(
      OUTPUT ${dir}/${name}.aml.h
      COMMAND ${CMAKE_COMMAND} -D IASL=${VMM_IASL} -D ASL=${asl} -D DIR=${dir} -D NAME=${name}
        -D SYMBOL=${symbol} -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/AmlToHeader.cmake
      DEPENDS ${asl} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/AmlToHeader.cmake
      COMMENT "Compiling ACPI source ${name}.asl"
      VERBATIM)
    target_sources(${target} PRIVATE ${dir}/${name}.aml.h)
  endforeach()
  target_include_directories(${target} PRIVATE ${dir})
endfunction()
