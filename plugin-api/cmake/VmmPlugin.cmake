# SPDX-License-Identifier: BSD-2-Clause
# How a plugin and its tests are built, the same in vmm's own tree and outside of it.

# Not in the functions: they are called from directories that this file was not included in.
set(VMM_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.map CACHE INTERNAL "")

# vmm_add_plugin(NAME SOURCE... [LIBRARIES LIB...])
#
# Builds NAME.so, a vmm device plugin in C or C++: hidden symbols, everything bound at load time, no
# undefined symbol, and vmm_plugin_entry_v1 as the only export. It is made in VMM_PLUGIN_OUTPUT_DIR
# (default: the current build directory) and installed to VMM_PLUGIN_INSTALL_DIR (default: where a
# vmm of the same prefix looks). What is in VMM_PLUGIN_LINK_OPTIONS has the last word.
function(vmm_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES")
  if(NOT VMM_PLUGIN_OUTPUT_DIR)
    set(VMM_PLUGIN_OUTPUT_DIR ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  if(NOT VMM_PLUGIN_INSTALL_DIR)
    set(VMM_PLUGIN_INSTALL_DIR lib/vmm/plugins)
  endif()
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${VMM_PLUGIN_VERSION_SCRIPT}
    LIBRARY_OUTPUT_DIRECTORY ${VMM_PLUGIN_OUTPUT_DIR})
  target_link_libraries(${name} PRIVATE VmmPlugin::support ${arg_LIBRARIES})
  target_link_options(${name} PRIVATE
    -Wl,-z,defs -Wl,-z,now -Wl,-Bsymbolic
    -Wl,--version-script=${VMM_PLUGIN_VERSION_SCRIPT}
    -Wl,--exclude-libs,ALL ${VMM_PLUGIN_LINK_OPTIONS})
  install(TARGETS ${name} LIBRARY DESTINATION ${VMM_PLUGIN_INSTALL_DIR} COMPONENT ${name})
endfunction()

# vmm_add_plugin_test(NAME SOURCE... [PLUGINS PLUGIN...] [LIBRARIES LIB...])
#
# Builds the program test-NAME and makes it the test NAME. It loads the plugins of this build, which
# PLUGINS names, by FAKE_PLUGIN("name"), and those that vmm was installed with by
# FAKE_VMM_PLUGIN("name"), into the fake host of <vmm/testkit/host.h>.
function(vmm_add_plugin_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PLUGINS;LIBRARIES")
  if(NOT VMM_PLUGIN_OUTPUT_DIR)
    set(VMM_PLUGIN_OUTPUT_DIR ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  add_executable(test-${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(test-${name} PRIVATE VmmPlugin::testkit ${arg_LIBRARIES})
  target_compile_definitions(test-${name} PRIVATE VMM_TESTKIT_PLUGIN_DIR="${VMM_PLUGIN_OUTPUT_DIR}")
  set_target_properties(test-${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  if(arg_PLUGINS)
    add_dependencies(test-${name} ${arg_PLUGINS})
  endif()
  add_test(NAME ${name} COMMAND test-${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()
