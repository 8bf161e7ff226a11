# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Building, as quickstart and check do it. Sourced after common.sh, run in the top directory.

# configure_preset PRESET: once.
configure_preset() {
	local log=build/$1.log
	mkdir -p build
	if [[ -f build/$1/build.ninja ]] || cmake --preset "$1" >"$log" 2>&1; then
		return 0
	fi
	tail -n 40 "$log" >&2
	die 1 "cannot configure preset $1; all of it is in $log"
}

# build_preset PRESET [TARGET...]: configures once, then builds what has changed. Says nothing unless something goes wrong.
build_preset() {
	local log=build/$1.log
	configure_preset "$1"
	if cmake --build --preset "$1" ${2:+--target "${@:2}"} >"$log" 2>&1; then
		return 0
	fi
	if grep -q '^FAILED:' "$log"; then
		sed -n '/^FAILED:/,$p' "$log" | head -n 60 >&2
	else
		tail -n 40 "$log" >&2
	fi
	die 1 "cannot build preset $1; all of it is in $log"
}
