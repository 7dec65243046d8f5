# tenantry_module(name DEPS lib...): a static library tenantry_<name> from the folder's .c files.
function(tenantry_module name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(tenantry_${name} STATIC ${sources})
  target_link_libraries(tenantry_${name} PUBLIC ${ARG_DEPS} tenantry_flags)
endfunction()

# tenantry_unit_tests(folder DEPS lib...): each test_*.c of the folder is one program and one CTest
# test named <folder>/<file>, labelled unit.
function(tenantry_unit_tests folder)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/test_*.c)
  foreach(source ${tests})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${folder}_${name} ${source})
    target_link_libraries(${folder}_${name} PRIVATE ${ARG_DEPS} cmocka)
    target_compile_definitions(${folder}_${name} PRIVATE
      TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/${folder}" TEST_SOURCE="${source}")
    add_test(NAME ${folder}/${name} COMMAND ${folder}_${name})
    set_tests_properties(${folder}/${name} PROPERTIES LABELS unit TIMEOUT 300)
    if(TENANTRY_SANITIZE MATCHES thread)
      set_tests_properties(${folder}/${name} PROPERTIES TIMEOUT 600 ENVIRONMENT
        TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/sanitizers/tsan.supp)
    endif()
  endforeach()
endfunction()
