# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The testbed's machine, from outside: what it is made of, how QEMU is started, and what its end means. Sourced by
# tools/testbed, whose options (mem, cpus, limit, icount, disk) it uses.

# Enough to reach the host's files, run virtual machines and connect them. More is loaded with modprobe.
TESTBED_MODULES="virtio_pci 9pnet_virtio 9p overlay virtio_console virtio_blk crc32c_generic ext4 kvm-amd kvm-intel
	tun vhost_net loop"
TESTBED_SCRATCH=/run/scratch # as init mounts it

# It is up after about 8 s, 40 s when the processors are busy. An emulated processor can lose a wake-up while the kernel
# boots, and then nothing ever happens again: after this long another try is made.
TESTBED_UP_SECONDS=100
TESTBED_TRIES=3
# Later too: a machine that gives no sign of life for so long (inner gives one each 5 s) is ended. Not under --icount, where
# its seconds are not ours.
TESTBED_SILENCE_SECONDS=${VMM_TESTBED_SILENCE:-90}

# machine_direct SECONDS COMMAND...: does not return.
machine_direct() {
	local seconds=$1
	shift
	VMM_TESTBED_SCRATCH=$(mktemp -d "${TMPDIR:-/var/tmp}/vmm-scratch.XXXXXX")
	export VMM_TESTBED_SCRATCH
	trap 'rm -rf "$VMM_TESTBED_SCRATCH"' EXIT
	local status=0
	if [[ -t 0 && -t 1 && ! $limit ]] || ((seconds == 0)); then
		"$@" || status=$?
	else
		timeout --foreground -k 5 "$seconds" "$@" || status=$?
		((status != 124)) || say "the command did not end within $seconds s"
	fi
	exit "$status"
}

# machine_prepare KERNEL (empty: the usual one, which has to be there): sets machine_kernel, machine_initrd and machine_disk.
machine_prepare() {
	local version=${1:-6.1} here=$VMM_ROOT/tools/lib
	type -P qemu-system-x86_64 busybox cpio depmod mke2fs xz >/dev/null ||
		die "$VMM_EXIT_FAILED" "something is not installed yet: run tools/setup"
	machine_kernel=$(kernel_dir amd64 "$version") ||
		exit "$([[ $1 ]] && echo "$VMM_EXIT_SKIP" || echo "$VMM_EXIT_FAILED")"
	machine_initrd=$VMM_CACHE/testbed/initrd-$(key "$(kernel_release "$machine_kernel")" "$TESTBED_MODULES" \
		"$(cat "$here/testbed/init" "$here/initramfs.sh" "$here/kernel.sh")")
	cached "$machine_initrd" initramfs_build "$machine_kernel" "$here/testbed/init" "$TESTBED_MODULES" ||
		die "$VMM_EXIT_FAILED" "cannot build the initramfs"
	machine_disk=$VMM_CACHE/testbed/scratch-1.img
	cached "$machine_disk" machine_scratch || die "$VMM_EXIT_FAILED" "cannot make the scratch disk"
}

machine_scratch() {
	truncate -s 16G "$1" && mke2fs -q -t ext4 -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 "$1"
}

# machine_run COMMAND...: does not return.
machine_run() {
	machine_dir=$(mktemp -d "${TMPDIR:-/tmp}/vmm-testbed.XXXXXX")
	machine_qemu='' machine_stty='' machine_relays=() machine_followers=() machine_terminal=''
	trap machine_clean EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	[[ -t 0 && -t 1 ]] && machine_terminal=1
	limit=${limit:-$([[ $machine_terminal ]] && echo 0 || echo 900)}
	cp "$VMM_ROOT/tools/lib/testbed/inner" "$machine_dir/"
	touch "$machine_dir/stdout" "$machine_dir/stderr"
	machine_settings >"$machine_dir/settings"
	machine_command "$@" >"$machine_dir/command"
	if [[ ! $machine_terminal ]] && machine_has_stdin; then
		# Through a cat: QEMU would set O_NONBLOCK on what it shares with whoever started us.
		exec 3< <(exec cat <&0)
		machine_relays+=($!)
	fi
	local try
	for ((try = 1; ; try++)); do
		machine_start
		machine_is_up && break
		((try < TESTBED_TRIES)) ||
			die "$VMM_EXIT_FAILED" "the machine did not start within $TESTBED_UP_SECONDS s, $try times"
		say "the machine hangs: not started after $TESTBED_UP_SECONDS s; trying again"
		machine_drop
	done
	exec 3<&-
	[[ $icount ]] || machine_watch
	machine_wait
	machine_result
}

# machine_is_up: waits until the machine is ready for the command, or has ended; false if it hangs.
machine_is_up() {
	local end=$((SECONDS + TESTBED_UP_SECONDS))
	while [[ ! -e $machine_dir/up ]] && kill -0 "$machine_qemu" 2>/dev/null; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# machine_watch: ends the machine when it gives no sign of life any more, and leaves a file that says so.
machine_watch() {
	local last='' now silent=0
	while sleep 5; do
		now=$(stat -c %y "$machine_dir/beat" 2>/dev/null) || true
		silent=$([[ $now == "$last" ]] && echo $((silent + 5)) || echo 0)
		last=$now
		((silent < TESTBED_SILENCE_SECONDS)) && continue
		touch "$machine_dir/silent"
		machine_kill
	done </dev/null >/dev/null 2>&1 &
	machine_relays+=($!)
}

# machine_kill: QEMU itself, below its timeout; when it hangs it does not hear a SIGTERM either.
machine_kill() {
	local children
	read -r children 2>/dev/null <"/proc/$machine_qemu/task/$machine_qemu/children" || true
	# shellcheck disable=SC2086  # a list
	[[ -z $children ]] || kill -KILL $children 2>/dev/null || true
}

# machine_drop: ends a machine that hangs.
machine_drop() {
	machine_kill
	wait "$machine_qemu" 2>/dev/null || true
	((${#machine_followers[@]} == 0)) || wait "${machine_followers[@]}" || true
	machine_followers=()
	[[ -z $machine_stty ]] || stty "$machine_stty" || true
}

# machine_settings: what `inner` has to know.
machine_settings() {
	local size='24 80'
	if [[ $machine_terminal ]]; then
		size=$(stty size)
		[[ $size == "0 0" ]] && size='24 80'
		printf 'terminal=1\nrows=%s\ncolumns=%s\n' "${size% *}" "${size#* }"
		[[ -t 2 ]] || printf 'stderr_file=1\n'
	else
		printf 'terminal=\n'
		machine_has_stdin && printf 'stdin=1\n'
		# One file for both keeps the order of what is written to the two.
		[[ /dev/stdout -ef /dev/stderr ]] && printf 'merged=1\n'
	fi
	[[ $icount ]] || printf 'hold=1\n'
	printf 'out=%q\nmodules=%q\n' "$VMM_TESTBED_OUT" "$machine_kernel/lib/modules"
}

machine_has_stdin() {
	[[ -t 0 || -p /dev/stdin || -f /dev/stdin || -S /dev/stdin ]]
}

# machine_command COMMAND...: the script that becomes the command.
machine_command() {
	local name
	for name in $(compgen -e); do
		case $name in
		PATH | HOME | TERM | LANG | LC_* | TZ | VMM_* | CTEST_* | *SAN_OPTIONS | XDG_CACHE_HOME)
			printf 'export %s=%q\n' "$name" "${!name}"
			;;
		esac
	done
	printf 'export VMM_TESTBED=1 VMM_TESTBED_SCRATCH=%q\n' "$TESTBED_SCRATCH"
	printf 'cd %q || exit 125\nexec' "$PWD"
	printf ' %q' "$@"
	printf '\n'
}

# machine_tsc: a kernel option with the rate of the time stamp counter, which is this machine's. On busy processors the
# inner kernel measures it wrongly, and then all its times are off. /proc/cpuinfo has it where it cannot change.
machine_tsc() {
	[[ $icount ]] || ! grep -qw hypervisor /proc/cpuinfo ||
		awk -F ': *' '/^cpu MHz/ { printf " tsc_early_khz=%d", $2 * 1000; exit }' /proc/cpuinfo
}

# shellcheck disable=SC2054  # QEMU's options contain commas
machine_start() {
	local boot=''
	local qemu=(setpriv --pdeathsig TERM timeout --foreground -k 5 "$limit" qemu-system-x86_64)
	# Without what QEMU 7.2 emulates wrongly; docs/adr/0003-processor-of-the-testbed.md.
	qemu+=(-machine q35 -cpu max,+svm,+npt,-xsave,-cx16 -m "$mem" -nodefaults -no-reboot -display none -monitor none)
	if [[ $icount ]]; then
		qemu+=(-accel tcg -icount "$icount" -smp 1)
	else
		qemu+=(-accel tcg,thread=multi -smp "$cpus")
		boot=maxcpus=1 # inner starts the others
	fi
	qemu+=(-kernel "$machine_kernel/vmlinuz" -initrd "$machine_initrd"
		-append "console=ttyS0 panic=-1 oops=panic quiet mitigations=off tsc=reliable nowatchdog audit=0 $boot$(machine_tsc)"
		-serial "file:$machine_dir/console"
		-virtfs "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap"
		-virtfs "local,path=$machine_dir,mount_tag=control,security_model=none"
		-virtfs "local,path=$VMM_TESTBED_OUT,mount_tag=out,security_model=none,multidevs=remap"
		-drive "if=none,id=scratch,format=raw,file=$machine_disk,snapshot=on,cache=unsafe,discard=unmap"
		-device virtio-blk-pci,drive=scratch)
	# shellcheck disable=SC2154  # an option of tools/testbed
	[[ ! $disk ]] || qemu+=(-drive "if=none,id=disk,format=raw,file=$disk,cache=writeback" -device virtio-blk-pci,drive=disk)
	if [[ $machine_terminal ]]; then
		machine_stty=$(stty -g)
		# Ctrl-C ends the machine until the command has the terminal; QEMU leaves isig and onlcr as they are.
		stty -onlcr
		qemu+=(-chardev stdio,id=tty,signal=on -device virtio-serial-pci -device virtconsole,chardev=tty)
		"${qemu[@]}" <&0 2>"$machine_dir/qemu" &
	elif machine_has_stdin; then
		qemu+=(-chardev stdio,id=in,signal=off -device virtio-serial-pci
			-device virtserialport,chardev=in,name=stdin)
		"${qemu[@]}" <&3 >/dev/null 2>"$machine_dir/qemu" &
	else
		"${qemu[@]}" </dev/null >/dev/null 2>"$machine_dir/qemu" &
	fi
	machine_qemu=$!
	[[ $machine_terminal ]] || machine_follow stdout 1
	[[ $machine_terminal && -t 2 ]] || machine_follow stderr 2
}

# machine_follow NAME FD: copies a stream as it comes; when nobody reads it any more, the machine has no purpose.
machine_follow() {
	{
		tail -c +1 -s 0.1 --pid="$machine_qemu" -f "$machine_dir/$1" 2>/dev/null >&4 || kill "$machine_qemu"
	} 4>&"$2" </dev/null >/dev/null 2>&1 &
	machine_followers+=($!)
}

machine_wait() {
	if [[ $machine_terminal ]]; then
		trap 'stty size >"$machine_dir/resize"' WINCH
		stty -isig
	fi
	# A trapped signal ends `wait` early; the status of a machine that ended before is still there.
	while
		machine_status=0
		wait "$machine_qemu" || machine_status=$?
		kill -0 "$machine_qemu"
	do :; done 2>/dev/null
	((${#machine_followers[@]} == 0)) || wait "${machine_followers[@]}" || true
}

machine_result() {
	local console=$VMM_TESTBED_OUT/console.log
	if [[ -s $machine_dir/status ]]; then
		exit "$(cat "$machine_dir/status")"
	fi
	cp "$machine_dir/console" "$console" 2>/dev/null || true
	[[ ! -e $machine_dir/silent ]] ||
		die "$VMM_EXIT_FAILED" "the machine hangs: no sign of life for $TESTBED_SILENCE_SECONDS s, console in $console"
	case $machine_status in
	124 | 137) die "$VMM_EXIT_TIME" "the command did not end within $limit s" ;;
	143) die "$VMM_EXIT_FAILED" "ended from outside" ;;
	0) ;;
	*) die "$VMM_EXIT_FAILED" "QEMU ended with status $machine_status, not by itself: $(tail -n1 "$machine_dir/qemu")" ;;
	esac
	if grep -q 'Kernel panic' "$machine_dir/console"; then
		die "$VMM_EXIT_FAILED" "the inner kernel panicked, console in $console:" \
			"$(grep -m1 -o 'Kernel panic.*' "$machine_dir/console" | tr -d '\r')"
	fi
	die "$VMM_EXIT_FAILED" "the machine ended before the command did, console in $console:" \
		"$(tail -n1 "$machine_dir/console" | tr -d '\r')"
}

machine_clean() {
	trap - EXIT
	trap '' INT TERM HUP
	if [[ $machine_qemu ]] && kill "$machine_qemu" 2>/dev/null; then
		wait "$machine_qemu" 2>/dev/null || true
	fi
	((${#machine_relays[@]} == 0)) || kill "${machine_relays[@]}" 2>/dev/null || true
	[[ -z $machine_stty ]] || stty "$machine_stty" || true
	rm -rf "$machine_dir"
}
