#include "base/fault.h"

#ifdef TENANTRY_FAULTS

#include "base/slice.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_POINTS 32

enum action { ACTION_KILL, ACTION_STOP, ACTION_FAIL };

struct point {
    char name[64];
    unsigned long at;     /* acts at this passage */
    unsigned long passed; /* passages so far */
    enum action action;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct point points[MOST_POINTS];
static size_t point_count;

/* A test with a misspelt order would test nothing, so it ends here. */
static void die(const char *order)
{
    fprintf(stderr, "TENANTRY_FAULT: \"%s\" is not name:N or name:N:kill|stop|fail\n", order);
    abort();
}

static void parse_order(const char *order)
{
    static const char *const actions[] = {"kill", "stop", "fail"};
    struct point *p = &points[point_count];
    char action[8] = "kill", rest;
    int n = sscanf(order, "%63[^:]:%lu:%7s%c", p->name, &p->at, action, &rest);
    if (point_count == MOST_POINTS - 1 || n < 2 || n > 3 || p->at == 0)
        die(order);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(action, actions[i]) == 0) {
            p->action = (enum action)i;
            point_count++;
            return;
        }
    die(order);
}

static void parse_environment(void)
{
    const char *orders = getenv("TENANTRY_FAULT");
    char *copy = orders ? strdup(orders) : NULL, *rest = copy, *order;
    while ((order = strsep(&rest, ",")) != NULL)
        if (*order != 0)
            parse_order(order);
    free(copy);
}

/* Counts a passage of `name` through points of this kind; the one that is to act, or NULL. */
static struct point *pass(const char *name, bool fails)
{
    struct point *acting = NULL;
    pthread_once(&once, parse_environment);
    if (point_count == 0)
        return NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < point_count; i++) {
        struct point *p = &points[i];
        if ((p->action == ACTION_FAIL) == fails && strcmp(p->name, name) == 0 &&
            ++p->passed == p->at)
            acting = p;
    }
    pthread_mutex_unlock(&lock);
    return acting;
}

static void leave_mark(const char *name)
{
    const char *folder = getenv("TENANTRY_FAULT_DIR");
    char path[4096];
    if (folder == NULL)
        return;
    snprintf(path, sizeof(path), "%s/%s.%d", folder, name, (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
}

void fault_point(const char *name)
{
    struct point *p = pass(name, false);
    if (p == NULL)
        return;
    leave_mark(name);
    /* To this thread, so that it does not run on until another one has taken the signal. */
    raise(p->action == ACTION_STOP ? SIGSTOP : SIGKILL);
}

bool fault_fails(const char *name)
{
    if (pass(name, true) == NULL)
        return false;
    leave_mark(name);
    return true;
}

#endif
