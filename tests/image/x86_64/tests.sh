# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The x86_64 image's tests: see tests/image/run. A PC has no way to tell of a
# failure by QEMU's exit status: what the console shows, decides.
# shellcheck disable=SC2034 # for run
qemu=(qemu-system-x86_64 -machine q35 -cpu 'max,+svm,+npt' -no-reboot)
# shellcheck disable=SC2034
firmware_ends='Booting from'

tests() {
    cat <<-END
	frames          | 0 | frames: ok          | -machine pc $machine
	xmm             | 0 | xmm: ok             | $machine
	xmm             | 0 | xmm: ok             | $machine -cpu phenom,+svm,+npt
	seam            | 0 | seam: ok            | $machine
	host-state      | 0 | host-state: ok      | $machine
	nmi             | 0 | nmi: ok             | $machine
	nested          | 0 | nested: ok          | $machine
	input           | 0 | input: ok           | -machine pc -smp 2 -m 128
	reboot          | 0 | reboot: ok          | $machine
	count           | 0 | 1000 calls: 1[0-2][0-9]... | $machine -icount shift=0
	bits            | 0 | for x86_64: 8 CPUs  | -smp 8 -m 128
	bits            | 0 | for x86_64: 64 CPUs | -smp 64 -m 256
	bits            | 0 | for x86_64: 1 CPUs  | -smp 1 -m 6G
	bug-check       | 0 | CPU 0: .*panics.c:[0-9]*: check failed: host_cpu_count() == 0 | $machine
	bug-pointer     | 0 | #PF (14) at 0x2.*error code 0x2, cr2 0x10\$ | $machine
	bug-text        | 0 | #PF (14) at 0x2.*error code 0x3, cr2 0x2 | $machine
	bug-rodata      | 0 | #PF (14) at 0x2.*error code 0x3, cr2 0x2 | $machine
	bug-execute     | 0 | #PF (14) at 0x2.*error code 0x11, cr2 0x2 | $machine
	bug-stack       | 0 | #DF (8) .*its stack has overflowed | $machine
	bug-double-free | 0 | check failed: .*    | $machine
	bug-bad-free    | 0 | check failed: zone != NULL | $machine
	bug-ud          | 0 | #UD (6) at 0x2      | $machine
	bug-machine-check | 0 | machine check: MCG_STAT | $machine
	bug-lost        | 0 | #DF (8) .*cr2 0x38  | $machine
	bug-astray      | 0 | #UD (6) at 0x2      | -smp 2 -m 128
	bug-nested      | 0 | another failure while reporting | -smp 2 -m 128
	bug-elsewhere   | 0 | CPU 3 has trapped: #PF | -smp 4 -m 128
	nonsense        | 0 | there is no self-test 'nonsense' | $machine
	frames          | 0 | this processor has no SVM | $machine -cpu max,-svm
	frames          | 0 | SVM has no nested paging | $machine -cpu max,+svm,-npt
	-               | 0 | there is no bundle  | $machine
	/etc/passwd     | 0 | does not begin with a configuration | $machine
	END
}
