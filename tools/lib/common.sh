# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What every script under tools/ starts from: where the tree and the cache are, how to speak to the user, and
# building a cached file exactly once. Sourced, never run.

# shellcheck disable=SC2034  # used by the scripts that source this file
{
	VMM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
	VMM_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vmm
	# Exit statuses of our own. 77 is what ctest and automake read as "skipped".
	VMM_EXIT_SKIP=77 VMM_EXIT_TIME=124 VMM_EXIT_FAILED=125
}

# depmod, mke2fs and ip live in sbin, which an ordinary user's PATH lacks on Debian.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# The name messages start with; a script may set it before its first message.
VMM_TOOL=${VMM_TOOL:-$(basename "$0")}

say() {
	printf '%s: %s\n' "$VMM_TOOL" "$*" >&2
}

# die STATUS MESSAGE...
die() {
	local status=$1
	shift
	say "$@"
	exit "$status"
}

now_ms() {
	local t=${EPOCHREALTIME/[.,]/}
	printf '%s' "$((t / 1000))"
}

# seconds_since MS: the time since a now_ms value, as "12.3 s".
seconds_since() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s' "$((ms / 1000))" "$((ms % 1000 / 100))"
}

# step TEXT COMMAND...: says what is being done, does it, and says how long it took.
step() {
	local text=$1 start
	shift
	start=$(now_ms)
	printf '==> %s\n' "$text" >&2
	"$@"
	printf '==> %s: done in %s\n' "$text" "$(seconds_since "$start")" >&2
}

# cached DEST BUILDER ARGS...: makes DEST with `BUILDER TEMPORARY ARGS...` unless it exists. Whoever comes second
# waits for the first; DEST appears whole or not at all. A builder returns its failures: bash ignores errexit
# wherever the caller asks for the status.
cached() {
	local dest=$1 builder=$2
	shift 2
	[[ -e $dest ]] && return 0
	mkdir -p "$(dirname "$dest")"
	(
		flock 9
		[[ -e $dest ]] && exit 0
		rm -rf "$dest.new"
		"$builder" "$dest.new" "$@" || exit 1
		mv -T "$dest.new" "$dest"
	) 9>"$dest.lock"
}

# key WORDS...: a short name for a cached file made from exactly these words.
key() {
	printf '%s\n' "$@" | sha256sum | cut -c1-16
}
