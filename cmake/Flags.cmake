# SPDX-License-Identifier: Apache-2.0
# Compiler and linker flags of everything that is built here: language, warnings, hardening and the
# sanitizers that a preset asks for with VMM_SANITIZE ("address", "thread", "fuzzer", "coverage").
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(VMM_WERROR "Treat compiler warnings as errors" ON)
set(VMM_SANITIZE "" CACHE STRING "Sanitizer to build with: empty, address, thread, fuzzer or coverage")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wcast-qual -Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough
  -Wnull-dereference -Wconversion)
if(VMM_WERROR)
  add_compile_options(-Werror)
endif()

add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
add_link_options(-Wl,-z,relro -Wl,-z,now)
set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie -Wl,-z,defs")

if(VMM_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(VMM_SANITIZE STREQUAL "thread")
  # Its calls in between hide from gcc what a value was set to: both of these warn of what cannot be.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -Wno-maybe-uninitialized -Wno-null-dereference)
  add_link_options(-fsanitize=thread)
elseif(VMM_SANITIZE STREQUAL "fuzzer")
  # Of clang: both sanitizers, and the counters by which libFuzzer sees what an input reached.
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  # Their runtime is a part of the program, where a plugin finds it when it is loaded.
  set(VMM_PLUGIN_LINK_OPTIONS -Wl,-z,undefs)
elseif(VMM_SANITIZE STREQUAL "coverage")
  # Counts which branches are taken; not optimised, so that they are those of the source.
  add_compile_options(--coverage -fprofile-update=atomic -O0)
  add_link_options(--coverage)
  add_compile_definitions(VMM_COVERAGE)
elseif(VMM_SANITIZE STREQUAL "")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
else()
  message(FATAL_ERROR "VMM_SANITIZE is \"${VMM_SANITIZE}\"; it may be empty, address, thread, fuzzer or coverage")
endif()
