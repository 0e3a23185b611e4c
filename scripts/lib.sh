# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts share. A script sources this first; it makes bash strict,
# and moves to the top of the source tree. Messages go to standard error, so
# that standard output is free for results.
set -euo pipefail
shopt -s inherit_errexit nullglob

readonly program=${0##*/}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
# shellcheck disable=SC2034 # for the scripts
readonly cache=${TWINAX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/twinax}
readonly logs=$root/build/logs
readonly origin=$PWD
cd "$root"

# absolute PATH: what the person who called the script means by it.
absolute() {
    case $1 in
    '' | /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$origin" "$1" ;;
    esac
}

say() {
    printf '==> %s\n' "$*" >&2
}

# die MESSAGE [NEXT]: says what is wrong and what to do next, and ends.
die() {
    printf '%s: error: %s\n' "$program" "$1" >&2
    if [ $# -gt 1 ]; then
        printf '%s: next: %s\n' "$program" "$2" >&2
    fi
    exit 1
}

# Prints the comment at the top of the script, which is its manual.
print_usage() {
    sed -n '/^# Usage:/,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
}

# bad_usage MESSAGE: a mistake on the command line.
bad_usage() {
    printf '%s: error: %s\n' "$program" "$1" >&2
    printf '%s: next: see %s --help\n' "$program" "$0" >&2
    exit 2
}

# need_value OPTION [VALUE]...: the option is followed by a value.
need_value() {
    if [ -z "${2-}" ]; then
        bad_usage "option $1 needs a value"
    fi
}

# need_number OPTION VALUE: it is a number that bash can calculate with.
need_number() {
    if ! [[ $2 =~ ^(0|[1-9][0-9]{0,8})$ ]]; then
        bad_usage "option $1: '$2' is not a number"
    fi
}

# need_count OPTION VALUE: the same, and not 0.
need_count() {
    need_number "$@"
    [ "$2" -ne 0 ] || bad_usage "option $1: it must be 1 or more"
}

# need_output OPTION FILE: FILE can be written, as far as one can tell.
need_output() {
    local folder
    folder=$(dirname "$2")
    [ ! -d "$2" ] || die "$1: $2 is a folder" "name a file"
    [ -d "$folder" ] ||
        die "$1: there is no folder $folder" "make it, or name another file"
    [ -w "$folder" ] || [ -w "$2" ] ||
        die "$1: $2 cannot be written" "name a file in a folder of your own"
}

# need_tool TOOL...: they are installed.
need_tool() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null ||
            die "$tool is missing" "scripts/setup installs what is missing"
    done
}

# need_built FILE...: they are there already, for scripts with --no-build.
need_built() {
    local file
    for file in "$@"; do
        [ -f "$file" ] || die "$file is missing" "run it without --no-build"
    done
}

# on_exit COMMAND ARG...: runs it when the script ends, however it ends; the
# last one given runs first.
cleanups=()
on_exit() {
    cleanups+=("$(printf '%q ' "$@")")
}

run_cleanups() {
    local i
    for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
        eval "${cleanups[i]}" 2>/dev/null || true
    done
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Makes $scratch, a new folder that is gone when the script ends.
make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/twinax.XXXXXX") ||
        die "no temporary folder in ${TMPDIR:-/tmp}" \
            "free some space there, or set TMPDIR"
    on_exit rm -rf "$scratch"
}

show_progress() {
    local label=$1 parent=$2 begin=$SECONDS
    while sleep 2 && kill -0 "$parent" 2>/dev/null; do
        if [ -t 2 ]; then
            printf '\r    %s: %d s \r' "$label" $((SECONDS - begin)) >&2
        elif (((SECONDS - begin) % 20 < 2)); then
            printf '    %s: %d s\n' "$label" $((SECONDS - begin)) >&2
        fi
    done
}

# run_logged LABEL COMMAND ARG...: runs a program with its output in a log
# file, shows that it is running, and prints the end of the log if it fails.
run_logged() {
    local label=$1 log status=0 ticker
    shift
    log=$logs/${label//[^A-Za-z0-9._-]/-}.log
    mkdir -p "$logs"
    say "$label"
    show_progress "$label" $$ &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || status=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" | sed 's/^/    | /' >&2
        printf '%s: failed (status %d): %s\n' "$program" "$status" "$label" >&2
        printf '%s: all of its output: %s\n' "$program" "$log" >&2
    fi
    return "$status"
}

# build_preset PRESET [TARGET...]: configures and builds in build/PRESET.
build_preset() {
    local preset=$1
    shift
    run_logged "configure $preset" cmake --preset "$preset" || exit 1
    run_logged "build $preset" cmake --build --preset "$preset" \
        ${1:+--target "$@"} || exit 1
}
