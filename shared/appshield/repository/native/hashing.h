/* The SHA-256 of each of many pieces of a buffer. */
#include <stddef.h>
#include <stdint.h>

enum { DIGEST = 32 };

/* A piece of a buffer, as Python packs it (native): "=QQ32s"; the digest is a result. */
struct piece {
    uint64_t start, size;
    uint8_t digest[DIGEST];
};

/* Whether this processor has the instructions. */
int can_hash(void);

/* Find the digests of pieces, some at a time. */
void appshield_sha256_each(const uint8_t *data, struct piece *pieces, size_t count);
