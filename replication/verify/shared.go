package verify

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Shared is what the verifications of a process share. It is safe for concurrent
// use.
type Shared struct {
	limits limits

	mu     sync.Mutex
	turns  map[string]chan struct{} // by cluster: whoever queries has put something in
	hashes map[string]string        // by the two clusters of a job
	rests  map[string]time.Time     // until when a job's commits must not wait again, by name
}

// NewShared returns what the verifications of a process share.
func NewShared() *Shared {
	return &Shared{limits: defaultLimits, turns: map[string]chan struct{}{}, hashes: map[string]string{}, rests: map[string]time.Time{}}
}

func clusterKey(c job.Cluster) string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// turn waits until no other verification of this process queries the cluster. The
// caller calls done after its query, once or more.
func (s *Shared) turn(ctx context.Context, c job.Cluster) (done func(), err error) {
	s.mu.Lock()
	key := clusterKey(c)
	if s.turns[key] == nil {
		s.turns[key] = make(chan struct{}, 1)
	}
	turn := s.turns[key]
	s.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return sync.OnceFunc(func() { <-turn }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const (
	fastHash = "xxhash_64"       // since 2.1
	anyHash  = "murmur_hash3_64" // in every supported version
)

// hashFunction is the faster of the hash functions that both clusters have. They
// are asked once.
func (s *Shared) hashFunction(ctx context.Context, j *pair.Job) (string, error) {
	key := clusterKey(j.Spec.Source) + " " + clusterKey(j.Spec.Destination)
	s.mu.Lock()
	known := s.hashes[key]
	s.mu.Unlock()
	if known != "" {
		return known, nil
	}
	function := fastHash
	for _, c := range []*pair.Cluster{j.Source, j.Destination} {
		_, err := c.SQL.Query(ctx, "SELECT "+fastHash+"('a', 'b') AS h")
		switch {
		case err != nil && strings.Contains(strings.ToLower(err.Error()), "not found function"):
			function = anyHash
		case err != nil:
			return "", fmt.Errorf("look for hash functions of the %s: %w", c.Side, err)
		}
	}
	s.mu.Lock()
	s.hashes[key] = function
	s.mu.Unlock()
	return function, nil
}
