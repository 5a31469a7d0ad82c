package faults

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// points are all points that the simulator passes, without the indexes of nodes.
var points = slices.Concat(
	prefixed("fe.", "beginTxn", "commitTxn", "getBackendMeta", "getBinlog", "getBinlogLag", "getMasterToken", "getMeta", "getSnapshot",
		"lockBinlog", "restoreSnapshot", "rollbackTxn", "waitingTxnStatus"),
	prefixed("be.", "ingest_binlog", "query_ingest_binlog", "write", "publish", "download", "http.binlog", "http.snapshot"),
	[]string{"publish", "clone", "backup.submit"},
	prefixed("backup.", "PENDING", "SNAPSHOTING", "UPLOAD_SNAPSHOT", "UPLOADING", "SAVE_META", "UPLOAD_INFO"),
	prefixed("restore.", "PENDING", "CREATING", "SNAPSHOTING", "DOWNLOAD", "DOWNLOADING", "COMMIT", "COMMITTING"),
	prefixed("alter.", "PENDING", "WAITING_TXN", "RUNNING"),
)

func prefixed(prefix string, names ...string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = prefix + name
	}
	return list
}

// Points returns the points of the simulator, for people.
func Points() []string { return slices.Clone(points) }

// checkPoint refuses a point, or a pattern, that nothing will ever pass, such as
// commitTxn without fe.: a rule that never strikes proves nothing.
func checkPoint(point string) error {
	base, _, _ := strings.Cut(point, "@")
	for _, known := range points {
		if ok, err := path.Match(base, known); err == nil && ok {
			return nil
		}
	}
	return fmt.Errorf("there is no fault point %q, there are: %s", point, strings.Join(points, " "))
}
