# SPDX-License-Identifier: Apache-2.0
#
# What single targets are checked against: code of the tests.
if(TWINAX_FUZZ)
  set(prefix fuzz_)
else()
  set(prefix replay-)
endif()

# twinax_fuzz_devices_only(NAME...): there is no VMM behind their devices, and
# so nothing of it among what a fuzzer looks at.
function(twinax_fuzz_devices_only)
  if(TWINAX_FUZZ)
    foreach(name ${ARGN})
      target_sources(fuzz_${name} PRIVATE no_vmm.c)
    endforeach()
  endif()
endfunction()

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

# twinax_fuzz_model(NAME FILE...): the same for a model, which touches nothing
# but its own: it is without the sanitizers, too, so that it costs less than
# what it is compared with.
function(twinax_fuzz_model name)
  twinax_fuzz_sources(${name} ${ARGN})
  if(TWINAX_FUZZ)
    list(TRANSFORM ARGN PREPEND ${CMAKE_SOURCE_DIR}/tests/)
    set_source_files_properties(
      ${ARGN} PROPERTIES COMPILE_OPTIONS
                         -fno-sanitize=fuzzer-no-link,address,undefined)
  endif()
endfunction()

# twinax_fuzz_names(NAME): what the target compares are names that its mutator
# or its dictionary knows; libFuzzer need not hear of them.
function(twinax_fuzz_names name)
  if(TWINAX_FUZZ)
    target_sources(fuzz_${name} PRIVATE own_memcmp.c)
    set_source_files_properties(
      own_memcmp.c PROPERTIES COMPILE_OPTIONS -fno-sanitize=fuzzer-no-link)
  endif()
endfunction()

# twinax_fuzz_asserts(NAME): the target asserts as tests do.
function(twinax_fuzz_asserts name)
  target_include_directories(
    ${prefix}${name} BEFORE PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/stand_in)
endfunction()

# twinax_fuzz_models(NAME REGEX): the target has the device models whose files'
# names match. Models are found by their section, so that a linker does not know
# who needs which.
function(twinax_fuzz_models name regex)
  if(TWINAX_FUZZ)
    target_sources(
      fuzz_${name}
      PRIVATE $<FILTER:$<TARGET_OBJECTS:hv_device>,INCLUDE,/${regex}[.]c[.]>)
  endif()
endfunction()

# Machines of one architecture: nothing of the others is linked.
foreach(target config exits guest mmio sbi trace)
  twinax_fuzz_models(${target} "(plic|ns16550a|finisher|virtio/.*)")
  if(TWINAX_FUZZ)
    target_sources(fuzz_${target} PRIVATE only_riscv64.c)
  endif()
endforeach()
set(pc "(ns16550a|finisher|virtio/.*|pc/(lapic|ioapic|pic|pit|rtc|i8042|acpi_pm))")
foreach(target svm_vmrun x86_exits x86_guest vmx_exits vmx_guest)
  twinax_fuzz_models(${target} "${pc}")
  if(TWINAX_FUZZ)
    if(target MATCHES "^vmx_")
      target_sources(fuzz_${target} PRIVATE only_x86_64_vmx.c)
    else()
      target_sources(fuzz_${target} PRIVATE only_x86_64_svm.c)
    endif()
  endif()
endforeach()
twinax_fuzz_models(scenario ".*")
twinax_fuzz_models(decode finisher) # any: it reaches what looks for one
if(TWINAX_FUZZ)
  target_sources(fuzz_decode PRIVATE only_riscv64.c)
endif()
twinax_fuzz_models(plic plic)
twinax_fuzz_models(ns16550 ns16550a)
twinax_fuzz_models(fw_cfg fw_cfg)
foreach(target lapic ioapic pic pit rtc)
  twinax_fuzz_models(${target} "(lapic|ioapic|pic|pit|rtc)")
endforeach()
twinax_fuzz_devices_only(decode plic ns16550 fw_cfg lapic ioapic pic pit rtc pci
                         virtio_pci virtio_blk virtio_console virtio_rng)
foreach(target pci virtio_pci)
  twinax_fuzz_models(${target} "(pci/.*|virtio/.*)")
endforeach()

twinax_fuzz_names(config)
twinax_fuzz_names(scenario)
twinax_fuzz_names(trace)

twinax_fuzz_sources(decode oracle/insn_check.c)
twinax_fuzz_model(decode oracle/cpu.c oracle/model.c)
target_link_libraries(${prefix}decode PRIVATE PkgConfig::UNICORN)

twinax_fuzz_sources(bootinfo hv/host/x86_64/rig.c)
target_sources(
  ${prefix}bootinfo
  PRIVATE ${CMAKE_SOURCE_DIR}/hv/host/board.c
          ${CMAKE_SOURCE_DIR}/hv/host/x86_64/acpi.c
          ${CMAKE_SOURCE_DIR}/hv/host/x86_64/bootinfo.c)

twinax_fuzz_sources(stage2 hv/addrspace/formats.c)
twinax_fuzz_model(stage2 hv/addrspace/mmu.c hv/addrspace/model.c
                  hv/addrspace/sweep.c)
twinax_fuzz_asserts(stage2)

twinax_fuzz_asserts(virtqueue)

foreach(device blk console rng)
  twinax_fuzz_models(virtio_${device} virtio/${device})
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
