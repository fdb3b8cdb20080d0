/* Tells ThreadSanitizer how a contended `Mutex` of Swift changes hands on Linux.
 *
 * The slow paths of its lock are in the library of the toolchain, which is built without the sanitizer, and end in
 * FUTEX_LOCK_PI, where the kernel writes the new owner's id (futex(2)). Without this everything that a contended mutex
 * guards is reported as a race. Loaded with LD_PRELOAD into tests that were built with --sanitize=thread; see `make tsan`.
 *
 * swiftcall: https://clang.llvm.org/docs/AttributeReference.html#swiftcall */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT void (*locker)(uint32_t thread, SELF void *mutex);
typedef SWIFT void (*unlocker)(SELF void *mutex);
typedef void (*annotation)(void *);

SWIFT void lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK);
SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK);

static void annotate(const char *name, void *mutex) {
    annotation call = (annotation)dlsym(RTLD_DEFAULT, name);
    if (call) call(mutex);
}

SWIFT void lock_slow(uint32_t thread, SELF void *mutex) {
    ((locker)dlsym(RTLD_NEXT, LOCK))(thread, mutex);
    annotate("__tsan_acquire", mutex);
}

SWIFT void unlock_slow(SELF void *mutex) {
    annotate("__tsan_release", mutex);
    ((unlocker)dlsym(RTLD_NEXT, UNLOCK))(mutex);
}
