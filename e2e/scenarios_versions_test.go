package e2e

import (
	"os"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// Every row is played with every version. Where an older source refuses a
// statement, the refusal is checked, and the rest of the row is played with what
// that version has: see sinceNew and transaction.

// dorisVersion is the version of Doris that the scenarios are played with:
// CCR_E2E_DORIS_VERSION, "2.1", "3.0" or "2024-11"; not set, it is the newest
// (make test-versions).
func dorisVersion() core.Version {
	return core.Version(os.Getenv("CCR_E2E_DORIS_VERSION"))
}

// old tells whether the version is older than new.
func old() bool { return dorisVersion() != "" && dorisVersion() != core.VersionNew }

// since picks what is right since new, or before.
func since[T any](newer, older T) T {
	if old() {
		return older
	}
	return newer
}

// scenarioClusters are the clusters that scenarios are played with.
func scenarioClusters(late core.LateFiling) harness.PairOptions {
	return harness.PairOptions{BEs: 2, Version: dorisVersion(), LateFiling: &late}
}
