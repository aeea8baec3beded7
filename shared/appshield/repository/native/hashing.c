/* The inner loop of naming blobs and of verifying them: many digests, some at a time. */
#include "hashing.h"

#include "sha256.h"

int can_hash(void) { return sha256_is_there(); }

void appshield_sha256_each(const uint8_t *data, struct piece *pieces, size_t count) {
    struct sha256 hashes[LANES];
    struct piece *hashed[LANES];
    const struct piece *end = pieces + count;
    int lanes = 0;
    for (;;) {
        for (; lanes < LANES && pieces < end; lanes++, pieces++) {
            hashed[lanes] = pieces;
            sha256_begin(&hashes[lanes], data + pieces->start, pieces->size);
        }
        if (!lanes) return;
        sha256_go_on(hashes, lanes);
        for (int lane = lanes - 1; lane >= 0; lane--) {
            if (hashes[lane].blocks) continue;
            sha256_finish(&hashes[lane], hashed[lane]->size, hashed[lane]->digest);
            hashes[lane] = hashes[--lanes];
            hashed[lane] = hashed[lanes];
        }
    }
}
