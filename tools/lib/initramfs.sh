# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Initial RAM file systems: busybox, kernel modules in the order they load, an init, and whatever else is asked for.
# Needs no root. Not compressed: unpacking is slower than reading where the processor is emulated. Sourced after
# common.sh and kernel.sh.

# initramfs_build DEST KERNEL-DIRECTORY INIT "MODULE..." [FILE=PATH...]
#
# The init finds busybox as /bin/busybox and loads the files that /modules lists, in that order. FILE=PATH puts a file
# at /PATH; a program brings its libraries along.
initramfs_build() {
	local dest=$1 kernel=$2 init=$3 modules=$4 root file
	shift 4
	root=$dest.root
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,etc} &&
		cp "$(type -P busybox)" "$root/bin/busybox" &&
		ln -s busybox "$root/bin/sh" &&
		cp "$init" "$root/init" && chmod 755 "$root/init" || return 1
	# shellcheck disable=SC2086  # a list of words
	kernel_modules "$kernel" $modules >"$root/modules" || return 1
	while read -r file; do
		install -D -m 644 "$kernel/$file" "$root/$file" || return 1
	done <"$root/modules"
	for file; do
		image_add "$root" "${file%%=*}" "${file#*=}" || return 1
	done
	(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$dest" || return 1
	rm -rf "$root"
}

# image_add ROOT FILE PATH: copies FILE to ROOT/PATH, and the shared libraries of a program to where it looks.
image_add() {
	local library
	mkdir -p "$(dirname "$1/$3")" && cp -L "$2" "$1/$3" || return 1
	[[ -x $2 ]] || return 0
	while read -r library; do
		[[ -e $1/$library ]] || install -D -m 755 "$library" "$1/$library" || return 1
	done < <(ldd "$2" 2>/dev/null | grep -o '/[^ ]*' || true)
}
