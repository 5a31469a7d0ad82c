package faults

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// What can be done at a point depends on what passes it: only calls have an answer
// to lose or to empty, and what is merely held back, such as publishing, has no connection.
var (
	calls = []Action{DropBefore, DropAfter, Fail, Empty, Delay, DelayAfter, Hold}
	tasks = []Action{DropBefore, DropAfter, Fail, Delay, DelayAfter, Hold}
	steps = []Action{DropBefore, Fail, Delay, Hold}
	waits = []Action{Fail, Delay, Hold}
)

// kind is points at which the same can be done.
type kind struct {
	points  []string
	actions []Action
}

// kinds are all points that the simulator passes, without the indexes of nodes.
var kinds = []kind{
	{prefixed("fe.", "beginTxn", "commitTxn", "getBackendMeta", "getBinlog", "getBinlogLag", "getMasterToken", "getMeta", "getSnapshot",
		"lockBinlog", "restoreSnapshot", "rollbackTxn", "waitingTxnStatus"), calls},
	{prefixed("be.", "ingest_binlog"), tasks},
	{prefixed("be.", "query_ingest_binlog", "write", "publish", "download", "http.binlog", "http.snapshot"), steps},
	{[]string{"publish", "clone", "be.scan"}, waits},
	{prefixed("alter.", "PENDING", "WAITING_TXN", "RUNNING"), waits},
	{[]string{"backup.submit"}, waits},
	{prefixed("backup.", "PENDING", "SNAPSHOTING", "UPLOAD_SNAPSHOT", "UPLOADING", "SAVE_META", "UPLOAD_INFO"), waits},
	{prefixed("restore.", "PENDING", "CREATING", "SNAPSHOTING", "DOWNLOAD", "DOWNLOADING", "COMMIT", "COMMITTING"), waits},
}

func prefixed(prefix string, names ...string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = prefix + name
	}
	return list
}

// Points returns the points of the simulator, for people.
func Points() []string {
	var list []string
	for _, k := range kinds {
		list = append(list, k.points...)
	}
	return list
}

// checkPoint refuses a point, or a pattern, that nothing will ever pass, such as
// commitTxn without fe., and an action that is not done there: a rule that never
// strikes proves nothing.
func checkPoint(point string, action Action) error {
	base, index, indexed := strings.Cut(point, "@")
	var known []Action
	for _, k := range kinds {
		for _, p := range k.points {
			if ok, err := path.Match(base, p); err != nil || !ok || indexed && nodePrefix(p) == "" {
				continue
			}
			if known = append(known, k.actions...); slices.Contains(k.actions, action) {
				return checkIndex(point, index, indexed)
			}
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("there is no fault point %q, there are: %s; those of fe. and be. also with a node's index, as in fe.getBinlog@0",
			point, strings.Join(Points(), " "))
	}
	slices.Sort(known)
	return fmt.Errorf("%s does nothing at fault point %q, there are: %s", action, point, listed(slices.Compact(known)))
}

func checkIndex(point, index string, indexed bool) error {
	if !indexed || strings.ContainsAny(index, `*?[\`) {
		return nil
	}
	if n, err := strconv.Atoi(index); err != nil || n < 0 {
		return fmt.Errorf("fault point %q: %q is no index of a node", point, index)
	}
	return nil
}

// checkNode refuses the index of a node that there is not.
func (s *Set) checkNode(point string) error {
	base, index, indexed := strings.Cut(point, "@")
	prefix := nodePrefix(base)
	n, err := strconv.Atoi(index)
	if s.Nodes == nil || !indexed || prefix == "" || err != nil {
		return nil
	}
	if there := s.Nodes(prefix); n >= there {
		return fmt.Errorf("fault point %q: there is no node %d, there are 0 to %d", point, n, there-1)
	}
	return nil
}

// nodePrefix is "" where no node passes the point.
func nodePrefix(point string) string {
	for _, prefix := range []string{"fe.", "be."} {
		if strings.HasPrefix(point, prefix) {
			return prefix
		}
	}
	return ""
}

func listed(list []Action) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = string(a)
	}
	return strings.Join(texts, " ")
}
