package query

import (
	gmstypes "github.com/dolthub/go-mysql-server/sql/types"

	"github.com/doris-ccr/ccr/dorisim/hash"
)

// hashFunctions hash texts: each argument's hash is the seed of the next one's
// (doris-sql.md 5.9). An argument that is no text is cast to one.
var hashFunctions = map[string]objectSpec{
	"murmur_hash3_32": {1, -1, gmstypes.Int32, hash32(hash.Murmur3x32, hash.Murmur3Seed32)},
	"murmur_hash3_64": {1, -1, gmstypes.Int64, hash64(hash.Murmur3x64)},
	"xxhash_32":       {1, -1, gmstypes.Int32, hash32(hash.XX32, 0)},
	"xxhash_64":       {1, -1, gmstypes.Int64, hash64(hash.XX64)},
}

func hash32(of func(data string, seed uint32) uint32, seed uint32) func([]*string) (any, error) {
	return needed(func(args []string) (any, error) {
		h := seed
		for _, a := range args {
			h = of(a, h)
		}
		return int32(h), nil
	})
}

func hash64(of func(data string, seed uint64) uint64) func([]*string) (any, error) {
	return needed(func(args []string) (any, error) {
		var h uint64
		for _, a := range args {
			h = of(a, h)
		}
		return int64(h), nil
	})
}
