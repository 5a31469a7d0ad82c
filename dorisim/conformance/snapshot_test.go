package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

var snapshots atomic.Int64

// backup takes a snapshot of the whole database and returns its label.
func (s *side) backup(db string) string {
	s.t.Helper()
	label := fmt.Sprintf("ccrs_conf_%d", snapshots.Add(1))
	s.exec("BACKUP SNAPSHOT `%s`.`%s` TO `__keep_on_local__`  PROPERTIES (\"type\" = \"full\")", db, label)
	s.waitState("FINISHED", "SHOW BACKUP FROM `%s` WHERE SnapshotName = \"%s\"", db, label)
	return label
}

// waitState polls until the one row of the result has that State.
func (s *side) waitState(want, format string, args ...any) row {
	s.t.Helper()
	var last row
	require.Eventually(s.t, func() bool {
		rows := s.query(format, args...)
		if len(rows) != 1 {
			return false
		}
		last = rows[0]
		return last["State"] == want || last["State"] == "CANCELLED" || last["State"] == "FINISHED"
	}, patience, 5*time.Millisecond)
	require.Equal(s.t, want, last["State"], "%v", last)
	return last
}

func (s *side) getSnapshot(db, label string, compress bool) *frontendservice.TGetSnapshotResult_ {
	s.t.Helper()
	result, err := s.fe.GetSnapshot(ctx, &frontendservice.TGetSnapshotRequest{
		User: new(user), Passwd: new(password), Db: &db, Table: new(""), LabelName: &label, SnapshotName: new(""),
		SnapshotType: new(frontendservice.TSnapshotType_LOCAL), EnableCompress: &compress})
	require.NoError(s.t, err)
	return result
}

// decodeJobInfo keeps 64-bit numbers exact.
func decodeJobInfo(t *testing.T, b []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	info := map[string]any{}
	require.NoError(t, decoder.Decode(&info))
	return info
}

// extraInfo is what the client adds to a job_info (doris-rpc.md 5.4).
func (s *side) extraInfo() map[string]any {
	s.t.Helper()
	token, err := s.fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{User: new(user), Password: new(password)})
	require.NoError(s.t, err)
	network := map[string]any{}
	for id, b := range s.backends() {
		network[itoa(id)] = map[string]any{"ip": b.Host, "port": b.HTTPPort}
	}
	return map[string]any{"be_network_map": network, "token": token.GetToken()}
}

// restoreRequest asks for everything in the snapshot.
func restoreRequest(t *testing.T, db, label string, meta []byte, info map[string]any) *frontendservice.TRestoreSnapshotRequest {
	t.Helper()
	encoded, err := json.Marshal(info)
	require.NoError(t, err)
	return &frontendservice.TRestoreSnapshotRequest{User: new(user), Passwd: new(password), Db: &db, LabelName: &label,
		RepoName: new("__keep_on_local__"), Properties: map[string]string{"reserve_replica": "true"}, Meta: meta, JobInfo: encoded}
}

func (s *side) restore(r *frontendservice.TRestoreSnapshotRequest) *tstatus {
	s.t.Helper()
	result, err := s.fe.RestoreSnapshot(ctx, r)
	require.NoError(s.t, err)
	return result.Status
}
