/* Named crash points of test builds (TENANTRY_FAULTS). `FAULT_POINT("name")` ends the process with
 * SIGKILL when the environment says so: TENANTRY_FAULT="name:N" dies at the Nth passage. Several
 * are separated by commas. With TENANTRY_FAULT_DIR set, each passage that kills writes a file
 * <dir>/<name>.<pid> first, so that a test can count hits. In other builds it is nothing. Action
 * by suffix: "name:N:kill" (default), "name:N:stop" (SIGSTOP), "name:N:fail" (FAULT_FAILS returns
 * true once). */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#ifdef TENANTRY_FAULTS
void fault_point(const char *name);
bool fault_fails(const char *name);
#define FAULT_POINT(name) fault_point(name)
#define FAULT_FAILS(name) fault_fails(name)
#else
#define FAULT_POINT(name) ((void)0)
#define FAULT_FAILS(name) (false)
#endif

#endif
