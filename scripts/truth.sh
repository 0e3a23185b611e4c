# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What scripts/svm-truth and vmx-truth do, for a kind of processor: they source
# this, and call truth_main with that kind, and for each machine that has one its
# name, the fake profile, and the machine's model.
source scripts/bochs.sh

readonly truth_image=build/image-x86_64/images/truth.elf
readonly truth_tool=build/host/tests/truth/truth
readonly truth_kept=tests/truth/kept

# truth_options ARG...: the command line.
truth_options() {
    machine_name='' seed=1 cases=6000 json=() keep=false build=true timeout=1800
    while [ $# -gt 0 ]; do
        case $1 in
        --machine)
            need_value "$@"
            machine_name=$2
            shift
            ;;
        --seed | --cases | --timeout)
            need_value "$@"
            need_number "$1" "$2"
            declare -g "${1#--}=$2"
            shift
            ;;
        --json) json=(--json) ;;
        --keep) keep=true ;;
        --no-build) build=false ;;
        -h | --help) print_usage && exit ;;
        *) bad_usage "unknown option '$1'" ;;
        esac
        shift
    done
    need_count --cases "$cases"
    need_count --timeout "$timeout"
}

truth_build() {
    scripts/setup --for test
    build_preset host truth
    build_preset image-x86_64 truth.elf
}

# The bundle of the image: the list, and where to begin.
truth_bundle() {
    printf '/dts-v1/; / { list = /incbin/("%s"); first = <0>; vms { }; };' \
        "$scratch/list" | dtc -q -I dts -O dtb -o "$scratch/bundle"
}

truth_disc() {
    local folder=$scratch/iso
    need_tool grub-mkrescue xorriso mformat
    mkdir -p "$folder/boot/grub"
    cp "$truth_image" "$scratch/bundle" "$folder/boot/"
    printf '%s\n' 'set timeout=0' 'serial' 'terminal_output serial' \
        'menuentry Truth {' '    multiboot2 /boot/truth.elf' \
        '    module2 /boot/bundle' '}' >"$folder/boot/grub/grub.cfg"
    grub-mkrescue --locales= --fonts= --themes= -o "$scratch/truth.iso" \
        "$folder" >"$scratch/mkrescue.log" 2>&1 ||
        die "grub-mkrescue failed: $(tail -n 1 "$scratch/mkrescue.log")" \
            "scripts/setup installs what is missing"
}

# truth_run_MACHINE MODEL, MACHINE up to its first hyphen: performs the list; the console is $scratch/console.
truth_run_qemu() {
    need_tool qemu-system-x86_64
    timeout --foreground -k 5 "$timeout" qemu-system-x86_64 -machine q35 \
        -cpu "$1" -m 256M -no-reboot -display none -monitor none \
        -serial "file:$scratch/console" -kernel "$truth_image" \
        -initrd "$scratch/bundle" </dev/null >"$scratch/messages" 2>&1 || true
}

truth_run_bochs() {
    need_tool bochs
    truth_disc
    bochs_start "$1" 1 256 "$scratch/truth.iso" "$timeout" \
        "$scratch/console" /dev/null >/dev/null
    on_exit kill "$machine"
    wait "$machine" || true
    wait "$shower" || true
}

# The answers: what the console has shown of them.
truth_answers() {
    tr -d '\r' <"$scratch/console" | grep -a -E '^(= |end )' \
        >"$scratch/answers" || true
    grep -q '^end ' "$scratch/answers" ||
        die "the machine has ended before the list: case $(
            grep -c '^= ' "$scratch/answers"
        ) of $cases: $(tail -n 1 "$scratch/console" | tr -d '\r')" \
            "look at that case: $truth_tool show LIST CASE"
}

truth_keep() {
    local name=$truth_kept/$1-$machine_name file
    mkdir -p "$truth_kept"
    for file in list answers; do
        zstd -q -19 -f "$scratch/$file" -o "$name.$file.zst"
    done
    say "kept: $name.{list,answers}.zst"
}

# truth_main CPU MACHINE:PROFILE:MODEL... -- ARG...
truth_main() {
    local cpu=$1 rows=() row profile='' model='' status=0
    shift
    while [ "$1" != -- ]; do
        rows+=("$1")
        shift
    done
    truth_options "${@:2}"
    machine_name=${machine_name:-${rows[0]%%:*}}
    for row in "${rows[@]}"; do
        if [ "${row%%:*}" = "$machine_name" ]; then
            IFS=: read -r _ profile model <<<"$row"
        fi
    done
    [ -n "$profile" ] ||
        bad_usage "--machine $machine_name: there is no such machine"
    ! $build || truth_build
    need_tool dtc zstd
    need_built "$truth_image" "$truth_tool"
    make_scratch
    "$truth_tool" make --cpu "$cpu" --profile "$profile" --seed "$seed" \
        --cases "$cases" "$scratch/list"
    truth_bundle
    say "$cases cases on $machine_name ($model)"
    truth_run_"${machine_name%%-*}" "$model"
    truth_answers
    ! $keep || truth_keep "$cpu"
    "$truth_tool" check "${json[@]}" --machine "$machine_name" "$scratch/list" \
        "$scratch/answers" || status=$?
    return "$status"
}
