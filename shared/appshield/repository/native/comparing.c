/* The inner loop of a backup on top of an earlier version: which files are as they were then.
 *
 * A file is as it was when its entry in the earlier version begins with what `stat` says of it now,
 * byte for byte. Whatever is not plainly so (another look, a name that needs escapes, an entry that
 * somebody else has written) is left to the caller, who looks again in Python.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { ID = 32, HEAD_MAX = 1024 };

/* A time as it stands in an entry; many files of a directory are of one second. */
struct clock {
    time_t second;
    char text[24]; /* "2023-11-14T22:13:20", empty if there is none for it */
};

/* Whether a name stands in an entry as it is: see `_PLAIN` in gotext.py. */
static int is_plain(const char *name, size_t length) {
    for (const char *at = name; at < name + length; at++)
        if (*at < ' ' || *at > '~' || strchr("\"&<>\\", *at)) return 0;
    return 1;
}

static const char *clock_of(struct clock *clock, time_t second) {
    struct tm parts;
    if (clock->second == second && clock->text[0]) return clock->text;
    clock->second = second;
    clock->text[0] = 0;
    if (gmtime_r(&second, &parts) && parts.tm_year >= -1900 && parts.tm_year < 8100)
        snprintf(clock->text, sizeof clock->text, "%04u-%02u-%02uT%02u:%02u:%02u",
                 (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100,
                 (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100,
                 (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
    return clock->text;
}

/* What a head is put together in; more than there is room for is no head. */
struct head {
    char text[HEAD_MAX];
    size_t length;
};

static void put(struct head *head, const char *text, size_t length) {
    if (length < HEAD_MAX && head->length < HEAD_MAX - length)
        memcpy(head->text + head->length, text, length);
    head->length += length;
}

#define PUT(head, text) put(head, text, sizeof text - 1)

static void put_number(struct head *head, uint64_t number) {
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    put(head, at, (size_t)(digits + sizeof digits - at));
}

/* Put a time, without zeros at the end of its fraction. */
static void put_time(struct head *head, struct clock *clock, const struct timespec *time) {
    const char *text = clock_of(clock, time->tv_sec);
    put(head, text, strlen(text));
    if (time->tv_nsec) {
        char fraction[] = ".000000000";
        int last = 0;
        long left = time->tv_nsec;
        for (int at = 9; at > 0; at--, left /= 10) {
            fraction[at] = (char)('0' + left % 10);
            if (!last && left % 10) last = at;
        }
        put(head, fraction, (size_t)last + 1);
    }
    PUT(head, "Z");
}

/* Bits of a mode as Go has them; see `go_mode` in gotext.py. */
static uint32_t go_mode(mode_t mode) {
    return (mode & 0777) | (mode & S_ISUID ? 1u << 23 : 0) | (mode & S_ISGID ? 1u << 22 : 0) |
           (mode & S_ISVTX ? 1u << 20 : 0);
}

/* Put together how the entry of a file begins: `encode_head` in trees.py, and the comma after it. */
static void begin_entry(struct head *head, struct clock clocks[2], const char *name, size_t length,
                        const struct stat *file) {
    head->length = 0;
    PUT(head, "{\"name\":\"");
    put(head, name, length);
    PUT(head, "\",\"type\":\"file\",");
    if (go_mode(file->st_mode)) {
        PUT(head, "\"mode\":");
        put_number(head, go_mode(file->st_mode));
        PUT(head, ",");
    }
    PUT(head, "\"mtime\":\"");
    put_time(head, &clocks[0], &file->st_mtim);
    PUT(head, "\",\"atime\":\"");
    put_time(head, &clocks[0], &file->st_mtim);
    PUT(head, "\",\"ctime\":\"");
    put_time(head, &clocks[1], &file->st_ctim);
    PUT(head, "\",\"uid\":");
    put_number(head, file->st_uid);
    PUT(head, ",\"gid\":");
    put_number(head, file->st_gid);
    if (file->st_ino) {
        PUT(head, ",\"inode\":");
        put_number(head, file->st_ino);
    }
    if (file->st_nlink > 1 && file->st_dev) {
        PUT(head, ",\"device_id\":");
        put_number(head, file->st_dev);
    }
    if (file->st_size > 0) {
        PUT(head, ",\"size\":");
        put_number(head, (uint64_t)file->st_size);
    }
    if (file->st_nlink) {
        PUT(head, ",\"links\":");
        put_number(head, file->st_nlink);
    }
    PUT(head, ",");
}

static int digit(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static int take_id(const char *text, uint8_t *id) {
    for (int at = 0; at < ID; at++) {
        int high = digit(text[2 * at]), low = digit(text[2 * at + 1]);
        if (high < 0 || low < 0) return 0;
        id[at] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

/* Read the ids of the blobs from the end of an entry; return how many bytes, -1 if it has another
 * end. Each takes less room there than in the entry. */
static int64_t take_ids(const char *entry, size_t length, uint8_t *ids) {
    static const char before[] = "\"content\":[";
    const size_t begins = sizeof before - 1, quoted = 2 * ID + 2;
    const char *end = entry + length - 2, *start = end;
    if (length < begins + 2 || end[0] != ']' || end[1] != '}') return -1;
    while (start > entry && start[-1] != '[') start--;
    if ((size_t)(start - entry) < begins || memcmp(start - begins, before, begins)) return -1;
    uint8_t *next = ids;
    for (const char *at = start; at < end; at += quoted + 1, next += ID) {
        if ((size_t)(end - at) < quoted || at[0] != '"' || at[quoted - 1] != '"') return -1;
        if (at + quoted < end && (at[quoted] != ',' || at + quoted + 1 == end)) return -1;
        if (!take_id(at + 1, next)) return -1;
    }
    return next - ids;
}

/* Find the files of a directory that are as in their earlier entries.
 *
 * Names end with NUL, entries follow each other with these lengths. The size of a file that is as
 * it was goes to `sizes`, -1 for every other; the ids of its blobs to `ids`, which has room for
 * half as many bytes as there are of entries. Returns how many bytes of ids there are. */
size_t appshield_unchanged(int directory, uint64_t device, size_t count, const char *names,
                           const char *entries, const uint32_t *lengths, int64_t *sizes,
                           uint8_t *ids) {
    struct clock clocks[2] = {{0}};
    struct head head;
    size_t taken = 0;
    for (size_t i = 0; i < count; names += strlen(names) + 1, entries += lengths[i++]) {
        struct stat file;
        size_t length = strlen(names);
        sizes[i] = -1;
        if (!is_plain(names, length) || fstatat(directory, names, &file, AT_SYMLINK_NOFOLLOW) ||
            !S_ISREG(file.st_mode) || file.st_dev != device)
            continue;
        begin_entry(&head, clocks, names, length, &file);
        if (!clocks[0].text[0] || !clocks[1].text[0] || head.length >= HEAD_MAX ||
            head.length > lengths[i] || memcmp(head.text, entries, head.length))
            continue;
        int64_t found = take_ids(entries, lengths[i], ids + taken);
        if (found < 0) continue;
        taken += (size_t)found;
        sizes[i] = file.st_size;
    }
    return taken;
}
