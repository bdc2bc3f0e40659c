"""Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

A stream is addressed, not advanced: block b of (seed, stream, step, sample) is Philox with the key (seed mod 2^32,
seed div 2^32) and the counter (b, sample, step, stream); value i of the stream is word i mod 4 of block i div 4.

  python philox.py    checks the known answers of the authors' Random123 library
"""
import numpy as np

INITIALIZATION, SHUFFLE, LATENT, SYNTHESIS, SAMPLING, EVALUATION, LAYER = 1, 2, 3, 4, 5, 6, 7
DIRECTION = 19

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)


def philox4x32(counter, key):
    """Ten rounds over the columns of counter (4 x blocks), all words held in uint64."""
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    k0, k1 = key
    for _ in range(10):
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = ((product1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0), product1 & LOW,
                          (product0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1), product0 & LOW)
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3])


def bits(count, seed, stream, step=0, sample=0):
    """The first count values of the stream, 32 random bits each."""
    block = np.arange((count + 3) // 4, dtype=np.uint64)
    words = philox4x32((block, np.full_like(block, sample), np.full_like(block, step), np.full_like(block, stream)),
                       (seed & 0xFFFFFFFF, seed >> 32))
    return words.T.reshape(-1)[:count].astype(np.uint32)


def uniform(count, seed, stream, step=0, sample=0):
    """((bits >> 9) + 1/2) 2^-23, exact in float32, in the open interval (0, 1)."""
    return (((bits(count, seed, stream, step, sample) >> 9) + 0.5) * 2.0**-23).astype(np.float32)


def normal(count, seed, stream, step=0, sample=0):
    """Box and Muller (1958) in float64, rounded to float32; a pair (u, v) of uniforms gives a cosine, then a sine."""
    u, v = uniform(count + count % 2, seed, stream, step, sample).astype(np.float64).reshape(-1, 2).T
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count].astype(np.float32)


def check():
    """The three vectors for philox4x32 with 10 rounds in Random123's file of known answers, and moments."""
    ones = 0xFFFFFFFF
    for counter, key, wanted in [
            ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
            ((ones,) * 4, (ones,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
            ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
             (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1))]:
        found = philox4x32([[word] for word in counter], key)[:, 0]
        assert tuple(int(word) for word in found) == wanted, (counter, [hex(word) for word in found])
    # The order of key, counter and words in the address of a stream.
    address = dict(seed=0x299F31D0A4093822, stream=3, step=2, sample=1)
    block1 = philox4x32([[1], [1], [2], [3]], (0xA4093822, 0x299F31D0))[:, 0]
    assert (bits(8, **address)[4:] == block1.astype(np.uint32)).all()
    many = normal(100_000, 1, LATENT)
    assert abs(many.mean()) < 5 / 100_000**0.5 and abs(many.var() - 1) < 5 * (2 / 100_000)**0.5


if __name__ == "__main__":
    check()
    print("philox: known answers agree")
