package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProse(t *testing.T) {
	for text, want := range map[string]string{
		`make the change by hand, then job_skip_binlog with {"skip_by":"silence","skip_commit_seq":7}; or skip_by "fullsync"`: "make the change by hand, then `job_skip_binlog` with `{\"skip_by\":\"silence\",\"skip_commit_seq\":7}`; or `skip_by` `\"fullsync\"`",
		`unpause it there, or: temporal activity unpause -w ccr-job-a --activity-id 12`:                                       "unpause it there, or: `temporal activity unpause -w ccr-job-a --activity-id 12`",
		`take it out: ALTER TABLE t SET ("colocate_with" = "")`:                                                               "take it out: `ALTER TABLE t SET (\"colocate_with\" = \"\")`",
		"for each: ALTER TABLE `sales`.`log` SET (\"binlog.enable\" = \"true\"); or exclude_tables":                           "for each: `` ALTER TABLE `sales`.`log` SET (\"binlog.enable\" = \"true\") ``; or `exclude_tables`",
		`wait (SHOW ALTER TABLE COLUMN, SHOW RESTORE), or cancel it: CANCEL RESTORE FROM d`:                                   "wait (`SHOW ALTER TABLE COLUMN`, `SHOW RESTORE`), or cancel it: `CANCEL RESTORE FROM d`",
		`look at SHOW BACKUP FROM the source's database: CANCEL BACKUP ends one`:                                              "look at `SHOW BACKUP FROM` the source's database: `CANCEL BACKUP` ends one",
		`raise --temporal-payload-limit of the workers`:                                                                       "raise `--temporal-payload-limit` of the workers",
		`set enable_feature_binlog = true in be.conf`:                                                                         "set `enable_feature_binlog = true` in be.conf",
		`a <b> of *all* [x](y)`: `a &lt;b&gt; of \*all\* \[x\](y)`,
	} {
		require.Equal(t, want, prose(text))
	}
}
