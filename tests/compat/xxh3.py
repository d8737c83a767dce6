# SPDX-License-Identifier: Apache-2.0
"""XXH3-64 with seed 0, after the algorithm's specification, in Python alone: a reader of the format needs nothing else."""
import struct

MASK = (1 << 64) - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
MX1, MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")


def u32(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def u64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def avalanche_xxh64(h):
    h = (h ^ h >> 33) * P64_2 & MASK
    h = (h ^ h >> 29) * P64_3 & MASK
    return h ^ h >> 32


def avalanche(h):
    h = (h ^ h >> 37) * MX1 & MASK
    return h ^ h >> 32


def rotl(value, by):
    return (value << by | value >> (64 - by)) & MASK


def mix16(data, at, secret_at):
    return fold(u64(data, at) ^ u64(SECRET, secret_at), u64(data, at + 8) ^ u64(SECRET, secret_at + 8))


def short(data):
    """0 to 16 bytes."""
    length = len(data)
    if length == 0:
        return avalanche_xxh64(u64(SECRET, 56) ^ u64(SECRET, 64))
    if length <= 3:
        combined = data[0] << 16 | data[length >> 1] << 24 | data[-1] | length << 8
        return avalanche_xxh64(combined ^ u32(SECRET, 0) ^ u32(SECRET, 4))
    if length <= 8:
        h = u32(data, length - 4) + (u32(data, 0) << 32) ^ u64(SECRET, 8) ^ u64(SECRET, 16)
        h ^= rotl(h, 49) ^ rotl(h, 24)
        h = h * MX2 & MASK
        h = (h ^ (h >> 35) + length) * MX2 & MASK
        return h ^ h >> 28
    low = u64(data, 0) ^ u64(SECRET, 24) ^ u64(SECRET, 32)
    high = u64(data, length - 8) ^ u64(SECRET, 40) ^ u64(SECRET, 48)
    swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
    return avalanche((length + swapped + high + fold(low, high)) & MASK)


def middle(data):
    """17 to 240 bytes."""
    length = len(data)
    acc = length * P64_1
    if length <= 128:
        for i in reversed(range((length - 1) // 32 + 1)):
            acc += mix16(data, 16 * i, 32 * i) + mix16(data, length - 16 * (i + 1), 32 * i + 16)
        return avalanche(acc & MASK)
    for i in range(8):
        acc += mix16(data, 16 * i, 16 * i)
    acc = avalanche(acc & MASK)
    for i in range(8, length // 16):
        acc += mix16(data, 16 * i, 16 * (i - 8) + 3)
    acc += mix16(data, length - 16, 136 - 17)
    return avalanche(acc & MASK)


KEYS = [struct.unpack_from("<8Q", SECRET, 8 * i) for i in range(17)]
KEY_SCRAMBLE = struct.unpack_from("<8Q", SECRET, 192 - 64)
KEY_LAST = struct.unpack_from("<8Q", SECRET, 192 - 64 - 7)


def accumulate(acc, lanes, key):
    for i in range(8):
        lane = lanes[i]
        mixed = lane ^ key[i]
        acc[i ^ 1] += lane
        acc[i] += (mixed & 0xFFFFFFFF) * (mixed >> 32)


def long(data):
    """More than 240 bytes."""
    length = len(data)
    acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    blocks = (length - 1) // 1024
    for block in range(blocks):
        for stripe in range(16):
            accumulate(acc, struct.unpack_from("<8Q", data, 1024 * block + 64 * stripe), KEYS[stripe])
        for i in range(8):
            a = acc[i] & MASK
            acc[i] = (a ^ a >> 47 ^ KEY_SCRAMBLE[i]) * P32_1 & MASK
    for stripe in range((length - 1 - 1024 * blocks) // 64):
        accumulate(acc, struct.unpack_from("<8Q", data, 1024 * blocks + 64 * stripe), KEYS[stripe])
    accumulate(acc, struct.unpack_from("<8Q", data, length - 64), KEY_LAST)
    result = length * P64_1
    for i in range(4):
        result += fold(acc[2 * i] & MASK ^ u64(SECRET, 11 + 16 * i), acc[2 * i + 1] & MASK ^ u64(SECRET, 19 + 16 * i))
    return avalanche(result & MASK)


def checksum(data):
    if len(data) <= 16:
        return short(data)
    return middle(data) if len(data) <= 240 else long(data)
