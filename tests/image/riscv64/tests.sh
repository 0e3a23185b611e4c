# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The riscv64 image's tests: see tests/image/run. A failure becomes QEMU's exit
# status.
# shellcheck disable=SC2034 # for run
qemu=(qemu-system-riscv64 -machine virt -cpu rv64,h=true)
# Where the firmware's own words end.
# shellcheck disable=SC2034
firmware_ends='MEDELEG'

tests() {
    cat <<-END
	guest-loads     | 0 | guest-loads: ok     | $machine
	fp              | 0 | fp: ok              | $machine
	vector          | 0 | vector: ok          | $machine -cpu rv64,h=true,v=true,vlen=128
	vector          | 0 | vector: ok          | $machine -cpu rv64,h=true,v=true,vlen=1024
	sstc            | 0 | sstc: ok            | $machine
	no-sstc         | 0 | no-sstc: ok         | $machine -cpu rv64,h=true,sstc=false
	timers          | 0 | timers: ok          | $machine -cpu rv64,h=true,sstc=false
	reboot          | 0 | reboot: ok          | $machine -no-reboot
	count           | 0 | 1000 calls: 1[0-3][0-9]... | $machine -icount shift=0
	bits            | 0 | for riscv64: 8 CPUs | -smp 8 -m 128
	bits            | 0 | for riscv64: 64 CPUs | -smp 64 -m 256
	bits            | 0 | for riscv64: 1 CPUs | -smp 1 -m 16G
	bug-check       | 1 | CPU 0: .*panics.c:[0-9]*: check failed: host_cpu_count() == 0 | $machine
	bug-pointer     | 1 | scause 0xf at 0x802.*stval 0x10\$ | $machine
	bug-text        | 1 | scause 0xf at 0x802.*stval 0x802  | $machine
	bug-rodata      | 1 | scause 0xf at 0x802.*stval 0x802  | $machine
	bug-execute     | 1 | scause 0xc at 0x802               | $machine
	bug-stack       | 1 | scause 0xf .*its stack has overflowed | $machine
	bug-double-free | 1 | check failed: .*                  | $machine
	bug-bad-free    | 1 | check failed: zone != NULL        | $machine
	bug-fp          | 1 | scause 0x2 at 0x802               | $machine
	bug-lost        | 1 | scause 0xd .*stval 0x40           | $machine
	bug-nested      | 1 | another failure while reporting   | -smp 2 -m 128
	bug-elsewhere   | 1 | CPU 3 has trapped: scause 0xf     | -smp 4 -m 128
	nonsense        | 1 | there is no self-test 'nonsense'  | $machine
	frames          | 1 | no hypervisor extension (H)       | $machine -cpu rv64,h=false
	-               | 1 | there is no bundle                | $machine
	/dev/null       | 1 | there is no bundle                | $machine
	/etc/passwd     | 1 | does not begin with a configuration | $machine
	END
}
