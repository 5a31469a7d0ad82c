// Package hash has the hash functions that Doris' SQL offers, with Doris' exact
// results (doris-sql.md 5.9).
package hash

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// Murmur3Seed32 is the seed of the first argument of murmur_hash3_32. The other
// functions begin with 0.
const Murmur3Seed32 = 104729

// Constants of the 64-bit variants of MurmurHash3.
const (
	murmurFirst64  = 0x87c37b91114253d5
	murmurSecond64 = 0x4cf5ad432745937f
	murmurAdd64    = 0x52dce729
)

// Murmur3x64 is Doris' own 64-bit MurmurHash3: one lane of the 128-bit one, so
// that no other implementation gives the same results.
func Murmur3x64(data string, seed uint64) uint64 {
	h := seed
	mixed := func(k uint64) uint64 { return bits.RotateLeft64(k*murmurFirst64, 31) * murmurSecond64 }
	rest := []byte(data)
	for ; len(rest) >= 8; rest = rest[8:] {
		h ^= mixed(binary.LittleEndian.Uint64(rest))
		h = bits.RotateLeft64(h, 27)*5 + murmurAdd64
	}
	if len(rest) > 0 {
		h ^= mixed(littleEndian(rest))
	}
	h ^= uint64(len(data))
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Murmur3x32 is MurmurHash3_x86_32.
func Murmur3x32(data string, seed uint32) uint32 {
	h := seed
	mixed := func(k uint32) uint32 { return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593 }
	rest := []byte(data)
	for ; len(rest) >= 4; rest = rest[4:] {
		h ^= mixed(binary.LittleEndian.Uint32(rest))
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	if len(rest) > 0 {
		h ^= mixed(uint32(littleEndian(rest)))
	}
	h ^= uint32(len(data))
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// littleEndian reads fewer than eight bytes.
func littleEndian(tail []byte) uint64 {
	var n uint64
	for i, b := range tail {
		n |= uint64(b) << (8 * i)
	}
	return n
}

// XX64 is XXH3 with 64 bits.
func XX64(data string, seed uint64) uint64 { return xxh3.HashStringSeed(data, seed) }

// Primes of XXH32.
const (
	prime1 uint32 = 2654435761
	prime2 uint32 = 2246822519
	prime3 uint32 = 3266489917
	prime4 uint32 = 668265263
	prime5 uint32 = 374761393
)

// XX32 is XXH32.
func XX32(data string, seed uint32) uint32 {
	rest := []byte(data)
	h := seed + prime5
	if len(rest) >= 16 {
		lanes := [4]uint32{seed + prime1 + prime2, seed + prime2, seed, seed - prime1}
		for ; len(rest) >= 16; rest = rest[16:] {
			for i := range lanes {
				lanes[i] = bits.RotateLeft32(lanes[i]+binary.LittleEndian.Uint32(rest[4*i:])*prime2, 13) * prime1
			}
		}
		h = bits.RotateLeft32(lanes[0], 1) + bits.RotateLeft32(lanes[1], 7) + bits.RotateLeft32(lanes[2], 12) + bits.RotateLeft32(lanes[3], 18)
	}
	h += uint32(len(data))
	for ; len(rest) >= 4; rest = rest[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(rest)*prime3, 17) * prime4
	}
	for _, b := range rest {
		h = bits.RotateLeft32(h+uint32(b)*prime5, 11) * prime1
	}
	h = (h ^ h>>15) * prime2
	h = (h ^ h>>13) * prime3
	return h ^ h>>16
}
