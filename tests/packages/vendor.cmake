# SPDX-License-Identifier: Apache-2.0
# The project of a vendor whose plugin is the files here, with a package of its own.
cmake_minimum_required(VERSION 3.20)
project(${NAME} VERSION ${VERSION} LANGUAGES C)
find_package(VmmPlugin REQUIRED)
set(VMM_PLUGIN_INSTALL_DIR lib/vmm/plugins)

file(GLOB sources *.c)
vmm_add_plugin(${NAME} ${sources})
file(GLOB asl *.asl)
if(asl)
  vmm_add_aml(${NAME} ${asl})
endif()

string(REGEX MATCH "^[0-9]+" major ${ABI})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_NAME vmm-plugin-${NAME})
set(CPACK_PACKAGE_CONTACT "a vendor <vendor@localhost>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "vmm-plugin-abi-${major} (>= ${ABI})")
include(CPack)
