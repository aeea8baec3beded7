/* SHA-256 of three messages at once, with the instructions that x86-64 processors have for it.
 *
 * One round waits for the one before: independent messages fill the gaps. Two take little longer
 * than one, three as long as their instructions take. It follows FIPS 180-4; the state is kept in the order that the
 * instructions want.
 */
#include <stdint.h>
#include <string.h>

#include <cpuid.h>
#include <immintrin.h>

enum { LANES = 3 };

#define WITH_SHA __attribute__((target("sha,avx")))

static const uint32_t ROUND_CONSTANTS[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Words A B E F and C D G H of one message, the highest first. */
struct sha256_state {
    __m128i abef, cdgh;
};

static int sha256_is_there(void) {
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("avx")) return 0; /* that the system keeps its registers, too */
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Take `blocks` blocks of 64 bytes of each of `lanes` messages; the pointers move behind them. */
WITH_SHA static inline __attribute__((always_inline)) void sha256_take(
    struct sha256_state *states, const uint8_t **data, size_t blocks, const int lanes) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    while (blocks--) {
        __m128i abef[LANES], cdgh[LANES], words[LANES][4];
        for (int lane = 0; lane < lanes; lane++) {
            abef[lane] = states[lane].abef;
            cdgh[lane] = states[lane].cdgh;
            for (int i = 0; i < 4; i++)
                words[lane][i] = _mm_shuffle_epi8(
                    _mm_loadu_si128((const __m128i *)(data[lane] + 16 * i)), big_endian);
        }
#pragma GCC unroll 16
        for (int four = 0; four < 16; four++) { /* rounds at a time */
#pragma GCC unroll 3
            for (int lane = 0; lane < lanes; lane++) {
                __m128i *word = words[lane];
                __m128i sum = _mm_add_epi32(
                    word[four & 3], _mm_load_si128((const __m128i *)(ROUND_CONSTANTS + 4 * four)));
                cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum);
                abef[lane] =
                    _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(sum, 0x0e));
                if (four < 12) {
                    __m128i next = _mm_sha256msg1_epu32(word[four & 3], word[(four + 1) & 3]);
                    next = _mm_add_epi32(
                        next, _mm_alignr_epi8(word[(four + 3) & 3], word[(four + 2) & 3], 4));
                    word[four & 3] = _mm_sha256msg2_epu32(next, word[(four + 3) & 3]);
                }
            }
        }
        for (int lane = 0; lane < lanes; lane++) {
            states[lane].abef = _mm_add_epi32(states[lane].abef, abef[lane]);
            states[lane].cdgh = _mm_add_epi32(states[lane].cdgh, cdgh[lane]);
            data[lane] += 64;
        }
    }
}

/* A message that is being hashed. */
struct sha256 {
    struct sha256_state state;
    const uint8_t *at;
    size_t blocks; /* whole ones that are left */
};

static void sha256_begin(struct sha256 *hash, const uint8_t *data, size_t size) {
    hash->state.abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    hash->state.cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    hash->at = data;
    hash->blocks = size / 64;
}

WITH_SHA static inline __attribute__((always_inline)) void sha256_go_on_with(
    struct sha256 *hashes, const int lanes) {
    struct sha256_state states[LANES];
    const uint8_t *at[LANES];
    size_t blocks = hashes[0].blocks;
    for (int i = 0; i < lanes; i++) {
        states[i] = hashes[i].state;
        at[i] = hashes[i].at;
        if (hashes[i].blocks < blocks) blocks = hashes[i].blocks;
    }
    sha256_take(states, at, blocks, lanes);
    for (int i = 0; i < lanes; i++) {
        hashes[i].state = states[i];
        hashes[i].at = at[i];
        hashes[i].blocks -= blocks;
    }
}

/* Go on with one to LANES messages to the last whole block of the shortest. */
WITH_SHA static void sha256_go_on(struct sha256 *hashes, int lanes) {
    _mm256_zeroupper(); /* what others left in the upper halves would make each round wait */
    if (lanes == 1)
        sha256_go_on_with(hashes, 1);
    else if (lanes == 2)
        sha256_go_on_with(hashes, 2);
    else
        sha256_go_on_with(hashes, LANES);
}

/* Write the digest of a message of `size` bytes, of which no whole block is left. */
WITH_SHA static void sha256_finish(struct sha256 *hash, size_t size, uint8_t digest[32]) {
    size_t rest = size % 64, blocks = rest < 56 ? 1 : 2;
    uint64_t bits = __builtin_bswap64((uint64_t)size * 8);
    uint8_t padded[128] = {0};
    const uint8_t *padding = padded;
    uint32_t abef[4], cdgh[4];
    memcpy(padded, hash->at, rest);
    padded[rest] = 0x80;
    memcpy(padded + 64 * blocks - 8, &bits, 8);
    sha256_take(&hash->state, &padding, blocks, 1);
    _mm_storeu_si128((__m128i *)abef, hash->state.abef);
    _mm_storeu_si128((__m128i *)cdgh, hash->state.cdgh);
    const uint32_t words[8] = {abef[3], abef[2], cdgh[3], cdgh[2],
                               abef[1], abef[0], cdgh[1], cdgh[0]};
    for (int i = 0; i < 8; i++) {
        uint32_t big_endian = __builtin_bswap32(words[i]);
        memcpy(digest + 4 * i, &big_endian, 4);
    }
}

