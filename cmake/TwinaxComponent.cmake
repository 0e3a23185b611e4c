# SPDX-License-Identifier: Apache-2.0
#
# twinax_component(NAME [CALLS COMPONENT...]) makes the object library
# hv_<NAME> (or the NAME given) of the C files in the calling folder. Its
# sources may include only "<component>/..." headers; which components it may
# call is checked on its object files by tests/dependencies.

set(TWINAX_WARNINGS
    -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wundef -Wvla -Wno-unused-parameter
    -Wno-missing-field-initializers)

add_library(twinax_flags INTERFACE)
target_compile_options(twinax_flags INTERFACE ${TWINAX_WARNINGS} -fno-common)
target_include_directories(twinax_flags INTERFACE ${CMAKE_SOURCE_DIR}/hv)
if(TWINAX_VCPU_ARCH)
  target_compile_definitions(
    twinax_flags INTERFACE VCPU_ARCH=${TWINAX_VCPU_ARCH}
                           VCPU_HAS_PORTS=$<BOOL:${TWINAX_VCPU_PORTS}>)
endif()

function(twinax_component name)
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PUBLIC twinax_flags)
endfunction()
