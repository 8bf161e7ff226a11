# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Guests for trying and testing: Debian's cloud kernel, an initramfs that loads what a guest of this project can have,
# and an ext4 root disk with busybox. Each is built once per content and needs no root. Sourced after common.sh, apt.sh,
# kernel.sh and initramfs.sh.

GUEST_MODULES="virtio_pci virtio_mmio virtio_blk virtio_net virtio-rng virtio_console virtio_balloon af_packet
	crc32c_generic ext4 button evdev"

# guest_kernel VERSION: prints the path of a bzImage.
guest_kernel() {
	local dir
	dir=$(kernel_dir cloud "$1") || return
	printf '%s/vmlinuz\n' "$dir"
}

# guest_vmlinux VERSION: prints the path of the same kernel as an ELF file.
guest_vmlinux() {
	local dir
	dir=$(kernel_dir cloud "$1") || return
	cached "$dir/vmlinux" kernel_vmlinux "$dir" || return
	printf '%s/vmlinux\n' "$dir"
}

# guest_initrd VERSION [FILE=PATH...]: prints the path of an initramfs whose init is lib/guest/init, with extra files.
guest_initrd() {
	local dir version=$1 init=$VMM_ROOT/tools/lib/guest/init dest
	shift
	dir=$(kernel_dir cloud "$version") || return
	dest=$VMM_CACHE/guest/initrd-$(key "$(kernel_release "$dir")" "$GUEST_MODULES" "$(guest_key "$init" "$@")")
	cached "$dest" initramfs_build "$dir" "$init" "$GUEST_MODULES" "$@" || return
	printf '%s\n' "$dest"
}

# guest_disk MIB [FILE=PATH...]: prints the path of an ext4 root disk with extra files. Everybody's: copy it before a
# guest writes to it.
guest_disk() {
	local mib=$1 dest
	shift
	dest=$VMM_CACHE/guest/disk-$(key "$mib" "$(guest_key "$VMM_ROOT"/tools/lib/guest/root/* "$@")")
	cached "$dest" guest_disk_build "$mib" "$@" || return
	printf '%s\n' "$dest"
}

# guest_here VERSION MIB: in build/guest a kernel, initramfs and a disk of one's own, under names that configs can use.
guest_here() {
	local kernel initrd disk dir=$VMM_ROOT/build/guest
	kernel=$(guest_kernel "$1") && initrd=$(guest_initrd "$1") && disk=$(guest_disk "$2") || return
	mkdir -p "$dir" || return
	cmp -s "$kernel" "$dir/vmlinuz" || guest_copy "$kernel" "$dir/vmlinuz" || return
	cmp -s "$initrd" "$dir/initrd" || guest_copy "$initrd" "$dir/initrd" || return
	[[ -e $dir/disk.img ]] || guest_copy "$disk" "$dir/disk.img"
}

# guest_copy FROM TO: whole, or not at all if it is interrupted.
guest_copy() {
	cp --sparse=always "$1" "$2.new.$$" && mv "$2.new.$$" "$2"
}

# guest_key FILE[=PATH]...: changes when a file, a path or a tool that makes images changes.
guest_key() {
	local file
	sha256sum "$VMM_ROOT"/tools/lib/{guest,initramfs,kernel}.sh <"$(type -P busybox)"
	for file; do
		printf '%s ' "${file#*=}"
		sha256sum <"${file%%=*}"
	done
}

# guest_disk_build DEST MIB [FILE=PATH...]
guest_disk_build() {
	local dest=$1 mib=$2 root=$1.root here=$VMM_ROOT/tools/lib/guest/root applet file
	shift 2
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,etc/acpi/PWRF,root,mnt,var,sbin,usr/bin,usr/sbin,lib} &&
		chmod 1777 "$root/tmp" &&
		cp "$(type -P busybox)" "$root/bin/busybox" || return 1
	while read -r applet; do
		[[ $applet == bin/busybox ]] || ln -sf /bin/busybox "$root/$applet" || return 1
	done < <(busybox --list-full)
	cp "$here"/{inittab,passwd,group,profile,udhcpc} "$root/etc/" &&
		install -m 755 "$here/rc" "$root/etc/rc" &&
		install -m 755 "$here/selfcheck" "$root/sbin/selfcheck" &&
		install -m 755 "$here/powerbutton" "$root/etc/acpi/PWRF/00000080" &&
		chmod 755 "$root/etc/udhcpc" && echo guest >"$root/etc/hostname" || return 1
	for file; do
		image_add "$root" "${file%%=*}" "${file#*=}" || return 1
	done
	truncate -s "${mib}M" "$dest" &&
		mke2fs -q -t ext4 -L guest -E root_owner=0:0 -d "$root" "$dest" || return 1
	if ((EUID != 0)); then # mke2fs -d keeps the owner
		(cd "$root" && find . -mindepth 1 -printf 'sif %P uid 0\nsif %P gid 0\n') |
			debugfs -w -f - "$dest" >"$dest.log" 2>&1 || return 1
	fi
	rm -rf "$root" "$dest.log"
}
