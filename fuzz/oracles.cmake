# SPDX-License-Identifier: Apache-2.0
#
# What single targets are checked against: code of the tests.
if(TWINAX_FUZZ)
  set(prefix fuzz_)
else()
  set(prefix replay-)
endif()

# twinax_fuzz_sources(NAME FILE...) adds files of tests/ to a target. Like the
# simulator, they are not what a fuzzer looks for new paths in.
function(twinax_fuzz_sources name)
  list(TRANSFORM ARGN PREPEND ${CMAKE_SOURCE_DIR}/tests/)
  target_sources(${prefix}${name} PRIVATE ${ARGN})
  if(TWINAX_FUZZ)
    set_source_files_properties(
      ${ARGN} PROPERTIES COMPILE_OPTIONS -fno-sanitize=fuzzer-no-link)
  endif()
endfunction()

# twinax_fuzz_asserts(NAME): the target asserts as tests do.
function(twinax_fuzz_asserts name)
  target_include_directories(
    ${prefix}${name} BEFORE PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/stand_in)
endfunction()

twinax_fuzz_sources(decode oracle/cpu.c oracle/insn_check.c oracle/model.c)
target_link_libraries(${prefix}decode PRIVATE PkgConfig::UNICORN)

twinax_fuzz_sources(stage2 hv/addrspace/formats.c hv/addrspace/mmu.c
                    hv/addrspace/model.c)
twinax_fuzz_asserts(stage2)

twinax_fuzz_asserts(virtqueue)

foreach(device blk console rng)
  twinax_fuzz_sources(virtio_${device} hv/device/virtio/guest.c)
  twinax_fuzz_asserts(virtio_${device})
  target_sources(${prefix}virtio_${device} PRIVATE virtio.c)
endforeach()

twinax_fuzz_sources(x86_emulate hv/arch/x86_64/rig.c)

foreach(target pci virtio_pci)
  twinax_fuzz_sources(${target} hv/device/pci/machine.c
                      hv/device/virtio/guest.c hv/device/virtio/disk.c)
  twinax_fuzz_asserts(${target})
endforeach()

twinax_fuzz_sources(fw_cfg hv/device/pc/ports.c)
twinax_fuzz_asserts(fw_cfg)
