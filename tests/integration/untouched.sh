# SPDX-License-Identifier: BSD-2-Clause
# The program must not notice: the same output and status as without the shim, whatever becomes of the recording.
. "$(dirname "$0")/lib.sh"

# alike NAME COMMAND...: standard output and status are the same bare and watched. Standard error of the
# watched run is left in $work/errors. $before, if set, is run in the subshell of each.
before=
alike() {
	local name=$1 bare status
	shift
	(eval "$before"; exec timeout 60 "$@") >"$work/bare" 2>/dev/null
	bare=$?
	(eval "$before"; exec timeout 60 "$heapray" run --dir "$segments" -- "$@") >"$work/watched" 2>"$work/errors"
	status=$?
	is "$name: status" "$status" "$bare"
	same "$name: output" "$work/bare" "$work/watched"
}

alike "closefrom(3), then a socketpair" "$programs/closefrom"
alike "a program that replaces new(size_t) and delete(void*) only" "$programs/newonly"
alike "thousands of stacks" "$programs/busy"
alike "a dl_iterate_phdr callback that allocates, 5 s" "$programs/dlphdr" 5
alike "the environment" env -u _ sh -c 'env | grep -vE "^(_|LD_PRELOAD|HEAPRAY_[A-Z]*|PWD|OLDPWD)=" | sort'
alike "a signal's status" sh -c 'kill -KILL $$'

# A descriptor opened by the program gets the number it would have had.
alike "descriptor numbers" sh -c 'exec 9</dev/null; ls -l /proc/self/fd | sed "s/.* \([0-9]* -> \)/\1/; s/[0-9]*\/fd//; s/\[[0-9]*\]//; s/.*$work[^ ]*/log/" | grep -v " log"; echo'

# ---- places where a segment cannot be ----

before="ulimit -f 1024"
alike "RLIMIT_FSIZE of 1 MiB" "$programs/busy"
before="ulimit -f 0"
alike "RLIMIT_FSIZE of 0" "$programs/newonly"
before="ulimit -n 10"
alike "10 descriptors" "$programs/newonly"
before="ulimit -v 400000"
alike "little address space" "$programs/busy" 20000
before=

# in_place NAME DIRECTORY: with the segments there, by the environment alone (heapray run refuses some of them
# before it starts anything); the output must be busy's.
"$programs/busy" >"$work/bare"
in_place() {
	LD_PRELOAD=$shim HEAPRAY_DIR=$2 "$programs/busy" >"$work/watched" 2>"$work/errors"
	is "$1: status" $? 7
	same "$1: output" "$work/bare" "$work/watched"
	is "$1: at most one line about it" "$(($(wc -l <"$work/errors") <= 2))" 1
}

if [ "$(id -u)" != 0 ]; then
	skip "full, read-only and foreign directories" "needs root"
else
	tiny=$work/tiny
	mkdir "$tiny"
	if mount -t tmpfs -o size=64k,mode=700 tmpfs "$tiny" 2>"$work/errors"; then
		mounted+=("$tiny")
		in_place "a tmpfs of 64 KiB" "$tiny"
		head -c 1M /dev/zero >"$tiny/full" 2>/dev/null
		in_place "a full tmpfs" "$tiny"
		mount -o remount,ro "$tiny"
		in_place "a read-only directory" "$tiny"
	else
		skip "a tmpfs of 64 KiB, full, read-only" "$(head -1 "$work/errors")"
	fi
	mkdir "$work/foreign"
	chown nobody "$work/foreign"
	in_place "a directory owned by somebody else" "$work/foreign"
fi
touch "$work/file"
in_place "a directory that is a file" "$work/file"
in_place "a missing directory" "$work/none/such"
LD_PRELOAD=$shim HEAPRAY_OFF=1 HEAPRAY_DIR=$work/off "$programs/busy" >"$work/watched" 2>"$work/errors"
is "HEAPRAY_OFF=1: status" $? 7
is "HEAPRAY_OFF=1: no segment" "$(ls "$work/off" 2>/dev/null | wc -l)" 0
