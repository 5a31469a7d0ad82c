package job

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindingsAreSettled(t *testing.T) {
	whole := VerifyFinding{Table: "a", TableID: 1, Method: VerifyChecksum}
	part := VerifyFinding{Table: "a", TableID: 1, Method: VerifyChecksum, Partitions: []string{"p1", "p2"}}
	for _, c := range []struct {
		by, found VerifyFinding
		settled   bool
	}{
		{whole, whole, true},
		{whole, part, true},
		{part, whole, false},
		{part, part, true},
		{VerifyFinding{Table: "a", TableID: 1, Partitions: []string{"p1"}}, part, false},
		{VerifyFinding{Table: "new name", TableID: 1, Method: VerifyRows}, whole, true},
		{VerifyFinding{Table: "a", TableID: 2, Method: VerifyRows}, whole, false},
		{VerifyFinding{Table: "a", Method: VerifyRows}, whole, true},
		{VerifyFinding{Table: "a", TableID: 1, Method: VerifyCount}, whole, false},
		{VerifyFinding{Table: "a", TableID: 1, Method: VerifyCount}, VerifyFinding{Table: "a", TableID: 1, Method: VerifyCount}, true},
	} {
		require.Equal(t, c.settled, c.by.Settles(c.found), "%+v", c)
	}
	many := VerifyRequest{Partitions: make([]string, maxFindingPartitions+1)}
	require.Empty(t, many.Finding(VerifiedTable{}, "r").Partitions)
}

func TestFindingsOfEarlierVerifications(t *testing.T) {
	finding := func(name, report string, partitions ...string) VerifyFinding {
		return VerifyFinding{Table: name, Method: VerifyChecksum, Report: report, Partitions: partitions}
	}
	earlier := &Verified{StillDifferent: []VerifyFinding{finding("a", "r1"), finding("b", "r1", "p1"), finding("c", "r1")}, MoreDifferent: 2}
	v := Verified{StillDifferent: []VerifyFinding{finding("b", "r2", "p2"), finding("d", "r2")}, Different: 2}
	v.Follow(earlier, []VerifyFinding{finding("a", "r2")})
	require.Equal(t, []VerifyFinding{finding("b", "r2", "p1", "p2"), finding("d", "r2"), finding("c", "r1")}, v.StillDifferent)
	require.Equal(t, 5, v.CountDifferent(), "two have no name any more")
	all := Verified{All: true}
	all.Follow(&v, v.StillDifferent)
	require.Zero(t, all.CountDifferent())
	all = Verified{All: true, Busy: 1}
	all.Follow(&v, nil)
	require.Equal(t, 5, all.CountDifferent(), "nobody knows of the busy one")

	var long Verified
	for i := range MaxVerifyFindings + 7 {
		long.StillDifferent = append(long.StillDifferent, finding(fmt.Sprint("t", i), "r"))
	}
	long.Follow(&Verified{}, nil)
	require.Len(t, long.StillDifferent, MaxVerifyFindings)
	require.Equal(t, MaxVerifyFindings+7, long.CountDifferent())
	require.Equal(t, 3, (&Verified{Different: 3}).CountDifferent(), "of an older worker")
	long.Follow(nil, nil)
}
