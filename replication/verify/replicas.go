package verify

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// fixedReplica is the session variable that names which healthy replica a query reads
// (doris-sql.md 5.9).
const fixedReplica = "use_fix_replica"

// replicas compares the replicas of each cluster with each other. Both were read at
// one version, so what differs differs; no job is behind.
func (v *verification) replicas(ctx context.Context, s *structure, q question) error {
	for _, of := range []*side{v.from, v.to} {
		for _, p := range s.pairs {
			u := &unit{part: &part{pair: p}, bucket: whole}
			n := 0
			for _, t := range tablets(of.table, of.partition(u)) {
				n = max(n, len(t.Replicas))
			}
			if n < 2 {
				continue
			}
			v.report("compares the replicas of partition %s of the %s", p.Source.Name, of.Side)
			differing, compared, err := v.replicasDiffer(ctx, of, q, u, n)
			if err != nil {
				return err
			}
			d := job.VerifyDifference{Kind: kindReplicas, Partition: p.Source.Name, Side: fmt.Sprint(of.Side)}
			switch {
			case !compared:
				d.Text = fmt.Sprintf("the %s's replicas of partition %s could not be compared: it was written too often", of.Side, p.Source.Name)
				v.result.Busy = append(v.result.Busy, d)
			case differing:
				if d.Buckets, err = v.bucketsOfReplicas(ctx, of, q, u, n); err != nil {
					return err
				}
				d.Text = fmt.Sprintf("the %s's replicas of partition %s differ from each other", of.Side, p.Source.Name)
				v.result.Differences = append(v.result.Differences, d)
			}
		}
	}
	return nil
}

// replicasDiffer reads a unit from each of n replicas at one version. compared: there
// was one.
func (v *verification) replicasDiffer(ctx context.Context, of *side, q question, u *unit, n int) (differing, compared bool, err error) {
	pause := v.limits.pause
	for range v.limits.atBucket {
		version := int64(0)
		differing, compared = false, true
		var first sums
		for i := range n {
			set := maps.Clone(v.settings)
			set[fixedReplica] = strconv.Itoa(i)
			got, err := v.askWith(ctx, set, of, q, []*unit{u}, nil)
			switch {
			case err != nil:
				return false, false, err
			case got.version[0] == 0 || version != 0 && got.version[0] != version:
				compared = false
			case version == 0:
				version, first = got.version[0], got.sums[0]
			case !first.equal(got.sums[0]):
				differing = true
			}
			if !compared {
				break
			}
		}
		if compared {
			return differing, true, nil
		}
		if !pair.Sleep(ctx, pause) {
			return false, false, ctx.Err()
		}
		pause = min(pause+pause/2, v.limits.longest)
	}
	return false, false, nil
}

// bucketsOfReplicas are the buckets whose replicas differ.
func (v *verification) bucketsOfReplicas(ctx context.Context, of *side, q question, u *unit, n int) ([]int, error) {
	var buckets []int
	for i := range tablets(of.table, of.partition(u)) {
		differing, _, err := v.replicasDiffer(ctx, of, q, &unit{part: u.part, bucket: i}, n)
		if err != nil {
			return nil, err
		}
		if differing {
			buckets = append(buckets, i)
		}
	}
	return buckets, nil
}
