package harness

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
)

// SeedVariable is the environment variable that gives a run of the tests the seed
// of an earlier one, which each failed test prints.
const SeedVariable = "CCR_E2E_SEED"

// Seed is that of all random moments of this process: those of tests, and those at
// which the clusters file binlogs that are late.
var Seed = sync.OnceValues(func() (uint64, error) { return seedOf(os.Getenv(SeedVariable)) })

func seedOf(text string) (uint64, error) {
	if text == "" {
		return 1 + rand.Uint64N(1<<32), nil // short enough to be typed
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s=%q is not a positive number", SeedVariable, text)
	}
	return n, nil
}

// Random is a source of numbers that depends on the seed and the name only, not on
// what other tests draw meanwhile.
func Random(name string) (*rand.Rand, error) {
	n, err := Seed()
	if err != nil {
		return nil, err
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(n, h.Sum64())), nil
}
