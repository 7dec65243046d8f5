# The one place for compile and link flags; every target of ours links it.
add_library(tenantry_flags INTERFACE)
target_include_directories(tenantry_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(tenantry_flags INTERFACE
  _GNU_SOURCE TENANTRY_VERSION="${PROJECT_VERSION}" H2O_USE_LIBUV=0)
target_compile_options(tenantry_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral -Wimplicit-fallthrough
  -fno-strict-aliasing -fstack-protector-strong)
if(TENANTRY_WERROR)
  target_compile_options(tenantry_flags INTERFACE -Werror)
endif()
if(TENANTRY_FAULTS)
  target_compile_definitions(tenantry_flags INTERFACE TENANTRY_FAULTS=1)
endif()
if(TENANTRY_SANITIZE)
  target_compile_options(tenantry_flags INTERFACE
    -fsanitize=${TENANTRY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tenantry_flags INTERFACE -fsanitize=${TENANTRY_SANITIZE})
endif()
if(TENANTRY_SANITIZE MATCHES thread)
  # A shared library, so that librdkafka too finds these functions before those of the C library.
  add_library(tsan_helpers SHARED ${PROJECT_SOURCE_DIR}/tests/sanitizers/c11_threads.c
    ${PROJECT_SOURCE_DIR}/tests/sanitizers/kafka_frees.c)
  target_compile_options(tsan_helpers PRIVATE -fsanitize=thread)
  target_link_options(tsan_helpers PRIVATE -fsanitize=thread)
  target_link_libraries(tenantry_flags INTERFACE tsan_helpers)
endif()
if(TENANTRY_FUZZ)
  target_compile_options(tenantry_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(tenantry_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
