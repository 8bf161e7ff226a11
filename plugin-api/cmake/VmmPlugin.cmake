# SPDX-License-Identifier: BSD-2-Clause
# vmm_add_plugin(NAME SOURCE... [LIBRARIES LIB...])
#
# Builds NAME.so, a vmm device plugin: hidden symbols, everything bound at load time, no undefined
# symbol, and vmm_plugin_entry_v1 as the only export. What is in VMM_PLUGIN_LINK_OPTIONS has the last word.
function(vmm_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES")
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    C_VISIBILITY_PRESET hidden
    LINK_DEPENDS ${VMM_PLUGIN_VERSION_SCRIPT}
    LIBRARY_OUTPUT_DIRECTORY ${VMM_PLUGIN_OUTPUT_DIR})
  target_link_libraries(${name} PRIVATE vmm-plugin-support ${arg_LIBRARIES})
  target_link_options(${name} PRIVATE
    -Wl,-z,defs -Wl,-z,now -Wl,-Bsymbolic
    -Wl,--version-script=${VMM_PLUGIN_VERSION_SCRIPT}
    -Wl,--exclude-libs,ALL ${VMM_PLUGIN_LINK_OPTIONS})
  install(TARGETS ${name} LIBRARY DESTINATION ${VMM_PLUGIN_INSTALL_DIR} COMPONENT ${name})
endfunction()
