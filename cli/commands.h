/* All commands, one row each: what is typed, the function cmd_<name> that runs it, one line of
 * help. A new command is a row here and its function in cli/cmd_*.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/args.h"

#define COMMANDS(ROW)                                                                              \
    ROW("up", up, "run the whole system on this machine")                                          \
    ROW("router", router, "run the front end alone")                                               \
    ROW("supervise", supervise, "run the consumers of all tenants")                                \
    ROW("consumer", consumer, "run one tenant's consumer")                                         \
    ROW("tenant add", tenant_add, "add a tenant")                                                  \
    ROW("tenant list", tenant_list, "list the tenants")                                            \
    ROW("tenant show", tenant_show, "show a tenant's options and where each came from")            \
    ROW("tenant check", tenant_check, "check the files of tenants and keys")                       \
    ROW("tenant suspend", tenant_suspend, "refuse what a tenant sends, until it is resumed")       \
    ROW("tenant resume", tenant_resume, "accept what a suspended tenant sends again")              \
    ROW("plan", plan, "show how tenants' topics differ from their config, and what that does")     \
    ROW("apply", apply, "make tenants' topics as their config says")                               \
    ROW("tenant remove", tenant_remove, "remove a tenant, with its topics, group and keys")        \
    ROW("key issue", key_issue, "make a key for a tenant; it is shown once")                       \
    ROW("key list", key_list, "list keys, what they are used for and which can go")                \
    ROW("key change", key_change, "change the label, expiry, signals or limits of a key")          \
    ROW("key rotate", key_rotate, "make a successor of a key; both are valid for a while")         \
    ROW("key revoke", key_revoke, "make a key worthless, for ever")                                \
    ROW("status", status, "show what came in, what is written and how far behind each tenant is")  \
    ROW("ledger", ledger, "prove that nothing is missing and nothing double")                      \
    ROW("dlq list", dlq_list, "count dead letters by why they died")                               \
    ROW("dlq show", dlq_show, "show dead letters with their headers and items")                    \
    ROW("check", check, "check config, certificates, brokers, topics and databases")               \
    ROW("certs dev", certs_dev, "make a CA and a server certificate to try out")                   \
    ROW("config", config, "show the config in effect, a sample file or the reference")             \
    ROW("send", send, "send made-up telemetry by OTLP and say what became of it")

#define ROW(text, name, help) int cmd_##name(struct args *a);
COMMANDS(ROW)
#undef ROW

#endif
