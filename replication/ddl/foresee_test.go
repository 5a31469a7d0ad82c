package ddl

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// TestForeseeEveryType: what a binlog is foretold to do is what TestEveryType finds that it
// does, without a call to the destination.
func TestForeseeEveryType(t *testing.T) {
	for i := range typeCases {
		c := &typeCases[i]
		t.Run(fmt.Sprintf("%s/%d", c.typ, i), func(t *testing.T) {
			a := c.start("db")
			j := a.job()
			j.Destination.FE, j.Destination.SQL = nil, nil
			b := a.in.Progress.Pending
			rec := binlog.Record{CommitSeq: b.CommitSeq, Type: b.Type, TableIDs: b.TableIDs, Data: b.Data}
			got, err := j.Foresee(context.Background(), rec, &a.in.Progress)
			require.NoError(t, err)
			if got.Unseen {
				require.Equal(t, binlog.TypeModifyTableAddOrDropColumns, c.typ)
				return
			}
			var want []string
			for _, s := range c.statements("db") {
				if name, dropped := strings.CutPrefix(s, "DROP "); dropped { // as the fake notes it
					s = "DROP TABLE IF EXISTS `dst`.`" + name + "` FORCE"
					if c.typ == binlog.TypeCreateTable {
						s = "DROP VIEW IF EXISTS `dst`.`" + name + "`"
					}
				}
				want = append(want, s)
			}
			require.Equal(t, want, got.Statements)
			if c.partial != nil {
				require.NotNil(t, got.Result.Wanted)
				require.Equal(t, c.partial, got.Result.Wanted.Partial)
			} else {
				require.Nil(t, got.Result.Wanted)
			}
		})
	}
}
