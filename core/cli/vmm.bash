# SPDX-License-Identifier: Apache-2.0
# Completion of vmm's command line for bash. Types and keys are asked of vmm itself.

_vmm_types()
{
	"$1" --list-plugins --json 2>/dev/null |
		sed -e 's/"types":\[/\n&/g' | sed -n 's/^"types":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr ',' ' '
}

_vmm()
{
	local current=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	case $before in
	-c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames
		return
		;;
	--log-level)
		mapfile -t COMPREPLY < <(compgen -W "error warn info debug" -- "$current")
		return
		;;
	--describe)
		mapfile -t COMPREPLY < <(compgen -W \
			"machine boot plugins log device $(_vmm_types "${COMP_WORDS[0]}")" -- "$current")
		return
		;;
	-s | --set)
		mapfile -t COMPREPLY < <(compgen -W "machine. boot. log. plugins. devices." -- "$current")
		compopt -o nospace
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
		sed -nE 's/^ +(-[a-z], )?(--[a-z-]+).*/\2/p') -c -s -h" -- "$current")
}

complete -F _vmm vmm
