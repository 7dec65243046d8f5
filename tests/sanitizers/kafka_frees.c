/* librdkafka is not built with the thread sanitizer, which sees its locks and what it hands to
 * intercepted functions, but not its atomics. It counts references by atomics: whoever drops the
 * last one frees, and that looks like a race with everybody who has read the memory before, our
 * code included. So in the tsan preset what librdkafka itself frees and destroys is not looked at.
 * Calls from our own code are, also from callbacks that librdkafka makes; and a use after such a
 * free is the address sanitizer's to find. (A suppression would match any stack with librdkafka on
 * it: all our callbacks.)
 *
 * Both functions are reached through slots of the library's tables of addresses, which are set
 * before main. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The sanitizer's. */
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static void free_unseen(void *at)
{
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    free(at);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

static int destroy_unseen(pthread_rwlock_t *lock)
{
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    int rc = pthread_rwlock_destroy(lock);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    return rc;
}

static uintptr_t instead_of(const char *name)
{
    if (strcmp(name, "free") == 0)
        return (uintptr_t)free_unseen;
    return strcmp(name, "pthread_rwlock_destroy") == 0 ? (uintptr_t)destroy_unseen : 0;
}

/* The slot's page may be read-only since the library was loaded. */
static void set_slot(uintptr_t *slot, uintptr_t value)
{
    uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)((uintptr_t)slot & ~(size - 1));
    if (mprotect(page, size, PROT_READ | PROT_WRITE) != 0)
        abort();
    *slot = value;
}

static void set_slots(uintptr_t base, const ElfW(Rela) * at, size_t size, const ElfW(Sym) * symbols,
                      const char *names)
{
    for (size_t i = 0; i < size / sizeof(*at); i++) {
        const char *name = names + symbols[ELF64_R_SYM(at[i].r_info)].st_name;
        uintptr_t value = instead_of(name);
        if (value != 0)
            set_slot((uintptr_t *)(base + at[i].r_offset), value);
    }
}

static int look_at(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size, (void)arg;
    if (strstr(object->dlpi_name, "librdkafka") == NULL)
        return 0;
    uintptr_t entry[DT_NUM] = {0};
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
            for (const ElfW(Dyn) *d = (void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
                 d->d_tag != DT_NULL; d++)
                if (d->d_tag < DT_NUM)
                    entry[d->d_tag] = d->d_un.d_ptr;
    const ElfW(Sym) *symbols = (void *)entry[DT_SYMTAB];
    const char *names = (const char *)entry[DT_STRTAB];
    set_slots(object->dlpi_addr, (void *)entry[DT_JMPREL], entry[DT_PLTRELSZ], symbols, names);
    set_slots(object->dlpi_addr, (void *)entry[DT_RELA], entry[DT_RELASZ], symbols, names);
    return 1;
}

static __attribute__((constructor)) void set_up(void)
{
    dl_iterate_phdr(look_at, NULL);
}
