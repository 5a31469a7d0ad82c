package ddl

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// applyDistribution changes how new partitions are distributed
// (doris-binlogs.md 2.26).
func applyDistribution(a *application) (job.ApplyResult, error) {
	modify, err := binlog.DecodeDistributionBuckets(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	return a.onTable(modify.TableID, func(table string) (string, error) {
		clause := "RANDOM"
		if !strings.EqualFold(modify.Type, "RANDOM") {
			var columns []string
			for column := range strings.SplitSeq(modify.Columns, ",") {
				columns = append(columns, sqlclient.Quote(strings.Trim(strings.TrimSpace(column), "`")))
			}
			clause = "HASH(" + strings.Join(columns, ",") + ")"
		}
		buckets := "AUTO"
		if !modify.AutoBucket {
			if modify.BucketNum <= 0 {
				return "", fmt.Errorf("the %s record at commit seq %d has no bucket count", a.rec.Type, a.rec.CommitSeq)
			}
			buckets = fmt.Sprint(modify.BucketNum)
		}
		return fmt.Sprintf("ALTER TABLE %s MODIFY DISTRIBUTION DISTRIBUTED BY %s BUCKETS %s",
			sqlclient.Name(a.j.Spec.Destination.Database, table), clause, buckets), nil
	})
}

var randomly = regexp.MustCompile(`(?i)\bDISTRIBUTED\s+BY\s+RANDOM\b`)

// applyDistributionType makes a table randomly distributed, which is the only
// change there is (doris-binlogs.md 2.27).
func applyDistributionType(a *application) (job.ApplyResult, error) {
	info, err := binlog.DecodeTableInfo(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	return a.onTable(info.TableID, func(table string) (string, error) {
		db := a.j.Spec.Destination.Database
		if a.unknown {
			text, err := a.j.Destination.SQL.CreateTableText(a.ctx, db, table)
			if err != nil {
				return "", fmt.Errorf("look at the distribution of %s: %w", table, err)
			}
			if randomly.MatchString(text) {
				return "", nil
			}
		}
		return fmt.Sprintf(`ALTER TABLE %s SET ("distribution_type" = "random")`, sqlclient.Name(db, table)), nil
	})
}
