/* The two inner loops of a restore: opening sealed blobs, and writing small files.
 *
 * Plain C without Python's interface: called through ctypes, which lets other threads run, and one
 * file for every version of Python. zstd and the ciphers are those of the system's libzstd and
 * libcrypto, looked up when it is loaded. Whatever is not plainly right is left to the caller, who
 * does it again in Python and says what is wrong: nothing here decides that data is damaged or that
 * the system refuses a file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hashing.h"

enum { IV = 16, MAC = 16, SEAL = IV + MAC, ID = DIGEST, BLOCK = 4096, HASHED_AT_ONCE = 64 };

/* A blob in a pack, as Python packs it (opening.py): "=IIII32s". */
struct blob {
    uint32_t start;   /* in the bytes that were fetched */
    uint32_t sealed;  /* bytes, with initialization vector and code */
    uint32_t plain;   /* bytes, 0 if it is not compressed */
    uint32_t found;   /* 1 if it is right: result */
    uint8_t id[ID];
};

/* A file to write (plain.py): "=iIqqIIQQIi". */
struct file {
    int32_t directory;
    uint32_t mode;
    int64_t accessed_s, modified_s;
    uint32_t accessed_ns, modified_ns;
    uint64_t start, size; /* in the plain bytes */
    uint32_t name;        /* where in the names, which end with NUL */
    int32_t written;      /* 1 if it is complete: result */
};

/* What is used of libcrypto (3.0 and later) and libzstd (1.0 and later). */
static struct {
    void *(*cipher_new)(void);
    void (*cipher_free)(void *);
    const void *(*aes_128_ecb)(void);
    const void *(*aes_256_ctr)(void);
    int (*encrypt_init)(void *, const void *, void *, const uint8_t *, const uint8_t *);
    int (*encrypt_update)(void *, uint8_t *, int *, const uint8_t *, int);
    void *(*mac_fetch)(void *, const char *, const char *);
    void (*mac_algorithm_free)(void *);
    void *(*mac_new)(void *);
    void (*mac_free)(void *);
    int (*mac_init)(void *, const uint8_t *, size_t, const void *);
    int (*mac_update)(void *, const uint8_t *, size_t);
    int (*mac_final)(void *, uint8_t *, size_t *, size_t);
    int (*differ)(const void *, const void *, size_t);
    void *(*zstd_new)(void);
    size_t (*zstd_free)(void *);
    size_t (*zstd_decompress)(void *, void *, size_t, const void *, size_t);
} library;

static int look_up(void **function, void *from, const char *name) {
    *function = from ? dlsym(from, name) : NULL;
    return *function != NULL;
}

#define NEEDED(member, from, name) look_up((void **)&library.member, from, name)

/* Find the libraries; 0 if this machine lacks one, or a processor's instructions. */
int appshield_load(void) {
    void *crypto = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    void *zstd = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    return can_hash() &&
           NEEDED(cipher_new, crypto, "EVP_CIPHER_CTX_new") &&
           NEEDED(cipher_free, crypto, "EVP_CIPHER_CTX_free") &&
           NEEDED(aes_128_ecb, crypto, "EVP_aes_128_ecb") &&
           NEEDED(aes_256_ctr, crypto, "EVP_aes_256_ctr") &&
           NEEDED(encrypt_init, crypto, "EVP_EncryptInit_ex") &&
           NEEDED(encrypt_update, crypto, "EVP_EncryptUpdate") &&
           NEEDED(mac_fetch, crypto, "EVP_MAC_fetch") &&
           NEEDED(mac_algorithm_free, crypto, "EVP_MAC_free") &&
           NEEDED(mac_new, crypto, "EVP_MAC_CTX_new") &&
           NEEDED(mac_free, crypto, "EVP_MAC_CTX_free") &&
           NEEDED(mac_init, crypto, "EVP_MAC_init") &&
           NEEDED(mac_update, crypto, "EVP_MAC_update") &&
           NEEDED(mac_final, crypto, "EVP_MAC_final") &&
           NEEDED(differ, crypto, "CRYPTO_memcmp") &&
           NEEDED(zstd_new, zstd, "ZSTD_createDCtx") &&
           NEEDED(zstd_free, zstd, "ZSTD_freeDCtx") &&
           NEEDED(zstd_decompress, zstd, "ZSTD_decompressDCtx");
}

/* What opens blobs with one key; belongs to one thread. */
struct opener {
    void *ctr, *ecb, *mac, *zstd;
    uint8_t mac_key[32]; /* r, then the encrypted initialization vector */
    uint8_t *scratch;    /* decrypted, not yet decompressed */
    size_t scratch_size;
};

void appshield_opener_free(struct opener *opener) {
    library.cipher_free(opener->ctr);
    library.cipher_free(opener->ecb);
    library.mac_free(opener->mac);
    library.zstd_free(opener->zstd);
    free(opener->scratch);
    free(opener);
}

/* Return what opens blobs, NULL if there is no memory. Keys: 32, 16 and 16 bytes. */
struct opener *appshield_opener_new(const uint8_t *encrypt, const uint8_t *mac_k,
                                    const uint8_t *mac_r) {
    struct opener *opener = calloc(1, sizeof *opener);
    if (!opener) return NULL;
    void *poly1305 = library.mac_fetch(NULL, "POLY1305", NULL);
    opener->ctr = library.cipher_new();
    opener->ecb = library.cipher_new();
    opener->mac = poly1305 ? library.mac_new(poly1305) : NULL;
    opener->zstd = library.zstd_new();
    library.mac_algorithm_free(poly1305);
    if (opener->ctr && opener->ecb && opener->mac && opener->zstd &&
        library.encrypt_init(opener->ctr, library.aes_256_ctr(), NULL, encrypt, NULL) == 1 &&
        library.encrypt_init(opener->ecb, library.aes_128_ecb(), NULL, mac_k, NULL) == 1) {
        memcpy(opener->mac_key, mac_r, 16);
        return opener;
    }
    appshield_opener_free(opener);
    return NULL;
}

/* Verify the seal of `sealed` bytes and decrypt them to `plain`, which has room for all of them. */
static int unseal(struct opener *opener, const uint8_t *sealed, size_t length, uint8_t *plain) {
    static const uint8_t no_iv[IV];
    const uint8_t *body = sealed + IV, *code = sealed + length - MAC;
    size_t body_length = length - SEAL, code_length = 0;
    uint8_t computed[MAC];
    int written = 0;
    return memcmp(sealed, no_iv, IV) != 0 &&
           library.encrypt_update(opener->ecb, opener->mac_key + 16, &written, sealed, IV) == 1 &&
           library.mac_init(opener->mac, opener->mac_key, 32, NULL) == 1 &&
           library.mac_update(opener->mac, body, body_length) == 1 &&
           library.mac_final(opener->mac, computed, &code_length, MAC) == 1 &&
           code_length == MAC && library.differ(computed, code, MAC) == 0 &&
           library.encrypt_init(opener->ctr, NULL, NULL, NULL, sealed) == 1 &&
           library.encrypt_update(opener->ctr, plain, &written, body, (int)body_length) == 1 &&
           (size_t)written == body_length;
}

static int has_scratch(struct opener *opener, size_t size) {
    if (size > opener->scratch_size) {
        free(opener->scratch);
        opener->scratch = malloc(size);
        opener->scratch_size = opener->scratch ? size : 0;
    }
    return opener->scratch != NULL;
}

/* Open one blob to `plain`, which has room for it; its content is not verified yet. */
static int open_blob(struct opener *opener, const struct blob *blob, const uint8_t *fetched,
                     uint8_t *plain) {
    size_t packed = blob->sealed - SEAL;
    if (!blob->plain) return unseal(opener, fetched + blob->start, blob->sealed, plain);
    return has_scratch(opener, packed) &&
           unseal(opener, fetched + blob->start, blob->sealed, opener->scratch) &&
           library.zstd_decompress(opener->zstd, plain, blob->plain, opener->scratch, packed) ==
               blob->plain;
}

static size_t plain_size(const struct blob *blob) {
    if (blob->plain) return blob->plain;
    return blob->sealed > SEAL ? blob->sealed - SEAL : 0;
}

/* Find out which of the blobs that were opened have the content that their ids name. */
static void verify(struct blob *blobs, size_t count, const uint8_t *plain) {
    struct piece pieces[HASHED_AT_ONCE];
    struct blob *hashed[HASHED_AT_ONCE];
    size_t at = 0, waiting = 0;
    for (size_t i = 0; i < count; i++) {
        if (blobs[i].found) {
            pieces[waiting] = (struct piece){.start = at, .size = plain_size(&blobs[i])};
            hashed[waiting++] = &blobs[i];
        }
        at += plain_size(&blobs[i]);
        if (waiting < HASHED_AT_ONCE && i + 1 < count) continue;
        appshield_sha256_each(plain, pieces, waiting);
        while (waiting) {
            waiting--;
            hashed[waiting]->found = !memcmp(pieces[waiting].digest, hashed[waiting]->id, ID);
        }
    }
}

/* Open blobs one after the other into `plain`, each at the sum of the sizes of those before it. */
void appshield_open(struct opener *opener, const uint8_t *fetched, size_t fetched_size,
                    struct blob *blobs, size_t count, uint8_t *plain, size_t room) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct blob *blob = &blobs[i];
        blob->found = blob->sealed >= SEAL && blob->sealed <= INT32_MAX &&
                      blob->start <= fetched_size &&
                      blob->sealed <= fetched_size - blob->start &&
                      plain_size(blob) <= room - at &&
                      open_blob(opener, blob, fetched, plain + at);
        at += plain_size(blob);
        if (at > room) at = room;
    }
    verify(blobs, count, plain);
}

/* Whether a whole block of a file is zeros: it becomes a hole, which is left to the caller. */
static int has_zero_block(const uint8_t *data, size_t size) {
    static const uint8_t zeros[BLOCK];
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK)
        if (!data[at] && !memcmp(data + at, zeros, BLOCK)) return 1;
    return 0;
}

static int write_all(int descriptor, const uint8_t *data, size_t size) {
    while (size) {
        ssize_t written = write(descriptor, data, size);
        if (written <= 0) return 0;
        data += written;
        size -= (size_t)written;
    }
    return 1;
}

/* Give an open file without a name its own; not in place of anything. */
static int give_name(int descriptor, int directory, const char *name) {
    char path[32];
    if (!linkat(descriptor, "", directory, name, AT_EMPTY_PATH)) return 1;
    if (errno != ENOENT) return 0; /* that is what is said without the right to do it so */
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return !linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW);
}

/* Write files that are new: each gets its name when it is complete, or is left undone. */
void appshield_write_files(struct file *files, size_t count, const char *names,
                           const uint8_t *plain, size_t plain_size) {
    for (struct file *file = files; file < files + count; file++) {
        const uint8_t *data = plain + file->start;
        struct timespec times[2] = {{file->accessed_s, file->accessed_ns},
                                    {file->modified_s, file->modified_ns}};
        file->written = 0;
        if (file->start > plain_size || file->size > plain_size - file->start) continue;
        if (has_zero_block(data, file->size)) continue;
        int descriptor = openat(file->directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        if (descriptor < 0) continue;
        file->written = write_all(descriptor, data, file->size) &&
                        !fchmod(descriptor, file->mode) && !futimens(descriptor, times) &&
                        give_name(descriptor, file->directory, names + file->name);
        close(descriptor);
    }
}
