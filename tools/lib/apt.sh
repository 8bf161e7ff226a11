# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Debian packages as files, not as part of the system: an apt of our own (sources, lists and cache below $VMM_CACHE),
# so that a kernel from another release can be had without root and without touching the machine's configuration.
# Signatures are checked against debian-archive-keyring. Sourced after common.sh.

# apt_mirror: "main-URI security-URI" that the system itself uses, else Debian's own.
apt_mirror() {
	local uri component main='' security=''
	# shellcheck disable=SC2016  # apt expands these
	while IFS='|' read -r uri component; do
		[[ $component == main ]] || continue
		case $uri in
		*debian-security*) security=${security:-$uri} ;;
		*debian/ | *debian) main=${main:-$uri} ;;
		esac
	done < <(apt-get indextargets --format '$(REPO_URI)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null)
	printf '%s %s\n' "${main:-http://deb.debian.org/debian}" \
		"${security:-http://deb.debian.org/debian-security}"
}

# apt_private SUITE COMMAND...: one of apt's programs with the lists of this suite only.
apt_private() {
	local dir=$VMM_CACHE/apt/$1 program=$2
	shift 2
	"$program" -q -o Dir::Etc="$dir" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- -o Dir::State="$dir/state" \
		-o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User= -o Acquire::Retries=1 \
		-o Acquire::http::Timeout=20 -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

# apt_lists SUITE: fetches the package lists of a suite and, where it has one, its security suite. A suite whose
# lists cannot be had is simply without packages; the caller finds that out. Lists of the last hour are good enough.
apt_lists() {
	local suite=$1 dir=$VMM_CACHE/apt/$1 main security keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[[ $(find "$dir/fresh" -mmin -60 2>/dev/null) ]] && return 0
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	read -r main security < <(apt_mirror)
	{
		printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$main" "$suite"
		[[ $suite == *-backports ]] ||
			printf 'deb [signed-by=%s] %s %s-security main\n' "$keys" "$security" "$suite"
	} >"$dir/sources.list"
	if apt_private "$suite" apt-get update >"$dir/update.log" 2>&1 && ! grep -q '^[EW]:' "$dir/update.log"; then
		touch "$dir/fresh"
	else
		say "apt could not read all of $suite: $(grep -m1 '^[EW]:' "$dir/update.log" || true)"
	fi
}

# apt_depends SUITE PACKAGE PREFIX: the package starting with PREFIX that PACKAGE depends on; empty if there is none.
apt_depends() {
	apt_private "$1" apt-cache depends --important "$2" 2>/dev/null |
		sed -n "s/^ *Depends: \($3[^ ]*\)\$/\1/p" | head -n1
}

# apt_fetch SUITE PACKAGE DIRECTORY: downloads PACKAGE into DIRECTORY.
apt_fetch() {
	(cd "$3" && apt_private "$1" apt-get download "$2" >"$VMM_CACHE/apt/$1/download.log" 2>&1)
}
