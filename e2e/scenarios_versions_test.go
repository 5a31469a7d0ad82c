package e2e

import (
	"os"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	// doris-binlogs.md 2.20, isForce.
	replacedForGood = "before new a table that REPLACE WITH TABLE replaced is gone: RECOVER does not find it"
	// doris-rpc.md 9 and doris-binlogs.md 3.9.
	onlyInserts = "sub-transactions came with 3.0: a transaction takes INSERT ... VALUES only"
)

// notIn are the scenarios that cannot work with a version of Doris, by the
// version, and why. As with notYet, one that passes is an error.
var notIn = map[core.Version]map[string]string{
	core.Version30: {
		"09_ps_tbl_recover":           replacedForGood,
		"21_tbl_recover_replace":      replacedForGood,
		"22_tbl_recover_replace_swap": replacedForGood,
	},
	core.Version21: {
		"09_ps_tbl_recover":                           replacedForGood,
		"21_tbl_recover_replace":                      replacedForGood,
		"22_tbl_recover_replace_swap":                 replacedForGood,
		"73_txn_insert":                               onlyInserts,
		"74_ts_tbl_txn_insert":                        onlyInserts,
		"74_ts_tbl_txn_update":                        onlyInserts,
		"77_upsert_of_two_tables_one_in_its_snapshot": onlyInserts,
	},
}

// dorisVersion is the version of Doris that the scenarios are played with:
// CCR_E2E_DORIS_VERSION, "2.1" or "3.0"; not set, it is the newest
// (make test-versions).
func dorisVersion() core.Version {
	return core.Version(os.Getenv("CCR_E2E_DORIS_VERSION"))
}

// scenarioClusters are the clusters that scenarios are played with.
func scenarioClusters() harness.PairOptions {
	return harness.PairOptions{BEs: 2, Version: dorisVersion()}
}
