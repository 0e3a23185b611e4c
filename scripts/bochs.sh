# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Bochs as a machine, for scripts/run-image. It boots a disc; its COM1 goes to
# standard output and to a log while it runs. It takes no keys. What is written
# to port 0xe9 leaves by its standard output, where it says little else: that is
# the wire that brings out a recording.

# Instructions in a second of the machine's time, which passes by them alone:
# runs repeat exactly, and the time-stamp counter counts instructions. With
# more, who waits waits longer; with fewer, a kernel does little but take its
# timer's interrupts.
readonly bochs_ips=20000000

# bochs_config CPU CPUS MIB DISC: Bochs' configuration; COM1 is descriptor 3.
bochs_config() {
    cat <<-END
	megs: $3
	cpu: model=$1, count=$2, ips=$bochs_ips, reset_on_triple_fault=0
	clock: sync=none
	romimage: file=/usr/share/bochs/BIOS-bochs-latest
	vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
	display_library: rfb, options="timeout=0"
	sound: waveoutdrv=dummy, midioutdrv=dummy, waveindrv=dummy
	com1: enabled=1, mode=file, dev=/dev/fd/3
	port_e9_hack: enabled=1
	ata0-master: type=cdrom, path=$4, status=inserted
	boot: cdrom
	log: $scratch/bochs.log
	panic: action=fatal
	error: action=ignore
	info: action=ignore
	END
}

# The processors with what the hypervisor needs: SVM with nested paging, VMX
# with EPT and unrestricted guests. The first one is the usual.
readonly bochs_models=(
    ryzen zambezi trinity_apu phenom_8650_toliman
    corei5_arrandale_m520 corei7_sandy_bridge_2600k corei7_ivy_bridge_3770k
    corei7_haswell_4770 broadwell_ult corei7_skylake_x corei7_icelake_u
    tigerlake)

# bochs_need_model CPU: Bochs has this processor.
bochs_need_model() {
    bochs --help cpu 2>&1 </dev/null | grep -x -e "$1" >/dev/null ||
        die "--cpu: Bochs has no processor '$1'" \
            "take one that Twinax runs on: ${bochs_models[*]}"
}

# bochs_start CPU CPUS MIB DISC TIMEOUT LOG WIRE: in the background, as $machine;
# $shower ends when all that it has shown is in the log. WIRE is the file that
# port 0xe9 goes to.
bochs_start() {
    bochs_config "$1" "$2" "$3" "$4" >"$scratch/bochsrc"
    printf 'c\nq\n' >"$scratch/bochs.commands"
    mkfifo "$scratch/com1"
    tee "$6" <"$scratch/com1" &
    shower=$!
    timeout --foreground -k 5 "$5" bochs -q -f "$scratch/bochsrc" \
        -rc "$scratch/bochs.commands" 3>"$scratch/com1" \
        >"$7" 2>"$scratch/bochs.messages" </dev/null &
    machine=$!
}

# bochs_status STATUS: prints what to go on with. Bochs calls each end a panic,
# and ends with status 1: one of them is that the machine was powered off.
bochs_status() {
    local reasons
    reasons=$(sed -n 's/.*>>PANIC<< */Bochs: /p' "$scratch"/bochs.{log,messages})
    if [ "$1" -ne 1 ]; then
        echo "$1"
    elif [[ $reasons == *'soft power off'* ]]; then
        echo 0
    else
        sort -u <<<"$reasons" >&2
        echo 1
    fi
}
