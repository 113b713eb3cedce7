# SPDX-License-Identifier: BSD-2-Clause
# lib_page.sh - what the tests of pages share. After lib.sh.
#
#   browse PAGE OUT <SCRIPT    opens it in a real Chromium (browse.py); OUT is what that saw
#   quiet NAME OUT                     no error on the console, and nothing asked for beside the page
#   figures_equal NAME OUT TARGET      every figure in the page (.result.figures) is the one that --json prints
#   hold PROGRAM [ARGUMENT]            starts it watched, sets $pid
#   figures='...'                      a part of a SCRIPT: the page's figures
browse() {
	python3 "$root/tests/integration/browse.py" "$1" >"$2" || echo '{"errors":["browse.py failed"]}' >"$2"
}

quiet() {
	is "$1" "$(jq -c '[.errors, .requests]' "$2")" '[[],[]]'
}

# shellcheck disable=SC2034 # for those who source this
figures='[...document.querySelectorAll("data[data-json]")].map(d => [d.dataset.json, d.value])'

# figure_paths OUT COMMAND: a jq program that lists the figures of that command, in the page's order.
figure_paths() {
	jq -r --arg command "$2 " '"[" + ([.result.figures[] | select(.[0] | startswith($command)) | .[0][($command | length):]] | join(",")) + "]"' "$1"
}

figures_equal() {
	local name=$1 out=$2 target=$3 command wrong=
	for command in $(jq -r '[.result.figures[][0] | split(" ")[0]] | unique[]' "$out"); do
		local json=$work/figures.json
		case $command in
		heap) "$heapray" export "$target" --format json | jq .heap >"$json" ;;
		*) "$heapray" "$command" "$target" --json >"$json" ;;
		esac
		jq -c "$(figure_paths "$out" "$command") | map(tostring)" "$json" >"$work/by-command"
		jq -c --arg command "$command " '[.result.figures[] | select(.[0] | startswith($command)) | .[1]]' "$out" >"$work/by-page"
		cmp -s "$work/by-command" "$work/by-page" || {
			wrong+=" $command"
			diff <(jq . "$work/by-command") <(jq . "$work/by-page") | head -10
		}
	done
	is "$name" "$wrong, $(jq '.result.figures | length > 20' "$out")" ', true'
}

hold() {
	watched -- "$@" >"$work/pid" &
	await 10 test -s "$work/pid"
	pid=$(cat "$work/pid")
	rm "$work/pid"
	started+=("$pid")
}
