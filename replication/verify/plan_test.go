package verify

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// leftover is a side that has no table with an id any more, and maybe one with a name.
type leftover struct {
	half
	exists bool
}

func (l *leftover) Meta(context.Context, fe.MetaRequest) (*meta.Database, error) {
	return &meta.Database{ID: 1, Tables: map[int64]*meta.Table{}}, nil
}

func (l *leftover) TableExists(context.Context, string, string) (bool, error) { return l.exists, nil }

// A table that the job has lost since the verification was planned is looked for on the
// destination.
func TestATableThatWasLost(t *testing.T) {
	for _, c := range []struct {
		source, destination, selected bool
		differs                       bool
	}{
		{false, true, true, true},
		{false, false, true, false},
		{true, true, true, false}, // another table
		{false, true, false, false},
	} {
		w := &world{r: rand.New(rand.NewPCG(1, 1)), loads: [][buckets]int{{1, 1, 1}}}
		spec := pairtest.TableSpec()
		spec.Source.Table, spec.Destination.Table = "", ""
		if !c.selected {
			spec.Exclude = []string{"t"}
		}
		conn := pair.NewConnector(pair.Options{})
		t.Cleanup(func() { _ = conn.Close() })
		source, destination := &leftover{half{w: w, source: true}, c.source}, &leftover{half{w: w}, c.destination}
		j := &pair.Job{
			Connector: conn, Options: &conn.Options, Spec: *spec, Log: conn.Options.Logger,
			Source:      &pair.Cluster{Side: "source", Spec: spec.Source, FE: source, SQL: source},
			Destination: &pair.Cluster{Side: "destination", Spec: spec.Destination, FE: destination, SQL: destination},
		}
		v := &verification{job: New(j, NewShared()), in: job.VerifyTableInput{Target: job.VerifyTarget{ID: 10, Name: "t"}}}
		s, err := v.strange(context.Background(), job.Table{Name: "t"})
		require.NoError(t, err)
		require.Equal(t, c.differs, len(s.differences) == 1, "%+v: %+v", c, s.differences)
		require.Equal(t, !c.differs, v.gone, "%+v", c)
	}
}
