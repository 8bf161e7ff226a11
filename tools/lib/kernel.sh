# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Debian's kernels as files: fetched once, never installed. Two flavours: "amd64" runs the testbed (it has 9p),
# "cloud" is what guests boot. Sourced after common.sh and apt.sh.
#
# A kernel directory holds vmlinuz, release (one line: the name `uname -r` prints) and lib/modules/RELEASE with the
# modules a virtual machine can use, uncompressed, with modules.dep.

# Counted up when kernel_unpack takes something else, so that caches are made anew.
KERNEL_LAYOUT=1

# kernel_suites VERSION: the Debian suites that have it, best first.
kernel_suites() {
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo bookworm-backports trixie ;;
	*) return 1 ;;
	esac
}

# kernel_dir FLAVOUR VERSION: prints the kernel's directory, fetching the kernel first if need be. Status
# VMM_EXIT_SKIP with one line on stderr when it cannot be had.
kernel_dir() {
	local flavour=$1 version=$2 dir=$VMM_CACHE/kernels/$1-$2-$KERNEL_LAYOUT
	if ! kernel_suites "$version" >/dev/null; then
		say "no kernel $version: this tool knows 5.10, 6.1 and 6.12"
		return "$VMM_EXIT_SKIP"
	fi
	if ! cached "$dir" kernel_build "$flavour" "$version"; then
		say "kernel $version ($flavour) cannot be had: none of $(kernel_suites "$version") gave it"
		return "$VMM_EXIT_SKIP"
	fi
	printf '%s\n' "$dir"
}

kernel_release() {
	cat "$1/release"
}

# kernel_build DIRECTORY FLAVOUR VERSION
kernel_build() {
	local dir=$1 meta=linux-image-$2 suite package
	[[ $2 == cloud ]] && meta=linux-image-cloud-amd64
	mkdir -p "$dir"
	for suite in $(kernel_suites "$3"); do
		(
			flock 8
			apt_lists "$suite"
		) 8>"$VMM_CACHE/apt-$suite.lock"
		package=$(apt_depends "$suite" "$meta" "linux-image-$3")
		[[ -n $package ]] || continue
		say "fetching $package from $suite"
		apt_fetch "$suite" "$package" "$dir" && kernel_unpack "$dir" "$package" && return 0
	done
	rm -rf "$dir"
	return 1
}

# kernel_unpack DIRECTORY PACKAGE: takes what a machine of virtio devices, or one that runs virtual machines, can
# use; the rest (graphics, sound, real network cards) is nine tenths of the package.
kernel_unpack() {
	local dir=$1 release=${2#linux-image-} m='./lib/modules/*'
	dpkg-deb --fsys-tarfile "$dir"/*.deb | tar -x -C "$dir" --wildcards --no-wildcards-match-slash \
		"./boot/vmlinuz-*" "$m/modules.*" "$m/kernel/arch" "$m/kernel/crypto" "$m/kernel/lib" "$m/kernel/virt" \
		"$m/kernel/net" "$m/kernel/mm" "$m/kernel/fs/*" "$m/kernel/drivers/virtio" "$m/kernel/drivers/vhost" \
		"$m/kernel/drivers/block" "$m/kernel/drivers/char" "$m/kernel/drivers/vfio" "$m/kernel/drivers/iommu" \
		"$m/kernel/drivers/crypto/ccp" "$m/kernel/drivers/net/*.ko*" "$m/kernel/drivers/nvme" "$m/kernel/drivers/vdpa" \
		"$m/kernel/drivers/rtc" "$m/kernel/drivers/acpi" "$m/kernel/drivers/input" "$m/kernel/drivers/watchdog" \
		2>"$dir/tar.log" || true # tar complains about a pattern that this kernel has nothing for
	rm -f "$dir"/*.deb
	[[ -d $dir/lib/modules/$release/kernel ]] || return 1
	find "$dir/lib/modules" -name '*.ko.xz' -exec xz -d {} + &&
		mv "$dir/boot/vmlinuz-$release" "$dir/vmlinuz" && rmdir "$dir/boot" &&
		depmod -b "$dir" "$release" &&
		printf '%s\n' "$release" >"$dir/release"
}

# kernel_modules DIRECTORY NAME...: the module files, relative to the directory, that loading these names needs, each
# after those it depends on. Names that are built in, or that this kernel lacks, are left out.
kernel_modules() {
	local dir=$1 release
	shift
	release=$(kernel_release "$dir")
	awk -v names="$*" -v base="lib/modules/$release/" '
		function name(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
		function want(path,    n, i, on) {
			if (path in done) return
			done[path] = 1
			n = split(needs[path], on, " ")
			for (i = n; i > 0; i--) want(on[i])
			print base path
		}
		{ path = $1; sub(/:$/, "", path); $1 = ""; needs[path] = $0; file[name(path)] = path }
		END {
			n = split(names, list, " ")
			for (i = 1; i <= n; i++) {
				m = list[i]; gsub(/-/, "_", m)
				if (m in file) want(file[m])
			}
		}' "$dir/lib/modules/$release/modules.dep"
}

# kernel_vmlinux DEST DIRECTORY: the ELF file inside vmlinuz, for boot by PVH. Where it is: Linux x86 boot protocol,
# setup_sects at 0x1f1, payload_offset at 0x248, payload_length at 0x24c.
kernel_vmlinux() {
	local image=$2/vmlinuz sectors offset length unpack
	sectors=$(od -An -tu1 -j 497 -N 1 "$image") offset=$(od -An -tu4 -j 584 -N 4 "$image")
	length=$(od -An -tu4 -j 588 -N 4 "$image")
	offset=$(((sectors + 1) * 512 + offset))
	case $(od -An -tx1 -j "$offset" -N 4 "$image") in
	' fd 37 7a 58') unpack=xz ;;
	' 28 b5 2f fd') unpack=zstd ;;
	' 02 21 4c 18') unpack=lz4 ;;
	*) return 1 ;;
	esac
	# The last four bytes are the size of what is unpacked.
	head -c "$((offset + length - 4))" "$image" | tail -c "+$((offset + 1))" | "$unpack" -dc >"$1" || return 1
	[[ $(head -c 4 "$1") == $'\x7fELF' ]]
}
