# SPDX-License-Identifier: BSD-2-Clause
# Run by vmm_add_aml() with cmake -P: compiles ASL with IASL and writes DIR/NAME.aml.h, a C header
# with the table as the array SYMBOL.
file(MAKE_DIRECTORY ${DIR})
execute_process(
  COMMAND ${IASL} -we -p ${DIR}/${NAME} ${ASL}
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${ASL} does not compile:\n${output}")
endif()

file(READ ${DIR}/${NAME}.aml hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${hex}")
string(REGEX REPLACE " \n" "\n\t" bytes "${bytes}")
string(STRIP "${bytes}" bytes)
cmake_path(GET ASL FILENAME source)
file(WRITE ${DIR}/${NAME}.aml.h
  "/* Made from ${source} by iasl; do not edit. */\n"
  "static const unsigned char ${SYMBOL}[] = {\n\t${bytes}\n};\n")
