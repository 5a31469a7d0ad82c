package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/doris-ccr/ccr/doris/meta"
)

// snapshotContent is what a job needs to know of a backup's job info
// (doris-rpc.md 5.3).
type snapshotContent struct {
	Tables map[string]snapshotTable
	Views  map[string]int64 // name -> id
	// CommitSeqs are the barriers by source table id.
	CommitSeqs map[int64]int64
}

// snapshotTable is one backed-up table: its id and its partitions' ids by name.
type snapshotTable struct {
	ID         int64
	Partitions map[string]int64
}

// parseJobInfo reads the parts of the job info that name objects and positions.
func parseJobInfo(raw []byte) (snapshotContent, error) {
	var info struct {
		Tables map[string]struct {
			ID         int64 `json:"id"`
			Partitions map[string]struct {
				ID int64 `json:"id"`
			} `json:"partitions"`
		} `json:"backup_objects"`
		Others struct {
			Views []struct {
				ID   int64  `json:"id"`
				Name string `json:"name"`
			} `json:"views"`
		} `json:"new_backup_objects"`
		CommitSeqs map[int64]int64 `json:"table_commit_seq_map"`
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return snapshotContent{}, fmt.Errorf("read the job info of the snapshot: %w", err)
	}
	content := snapshotContent{
		Tables:     make(map[string]snapshotTable, len(info.Tables)),
		Views:      make(map[string]int64, len(info.Others.Views)),
		CommitSeqs: info.CommitSeqs,
	}
	for name, t := range info.Tables {
		table := snapshotTable{ID: t.ID, Partitions: make(map[string]int64, len(t.Partitions))}
		for partition, p := range t.Partitions {
			table.Partitions[partition] = p.ID
		}
		content.Tables[name] = table
	}
	for _, v := range info.Others.Views {
		content.Views[v.Name] = v.ID
	}
	return content, nil
}

// errJobInfo marks a job info that is not the JSON object it has to be.
var errJobInfo = errors.New("the job info of the snapshot is not a JSON object")

// addExtraInfo inserts the addresses and the token with which the destination
// fetches the tablets (doris-rpc.md 5.4). Everything else keeps its bytes: the
// ids are 64 bits wide and later servers add keys of their own. The hosts of the
// backends must already be mapped to what the destination can reach.
func addExtraInfo(raw []byte, backends []meta.Backend, token string) ([]byte, error) {
	type address struct {
		IP   string `json:"ip"`
		Port int    `json:"port"`
	}
	network := make(map[string]address, len(backends))
	for _, b := range backends {
		network[strconv.FormatInt(b.ID, 10)] = address{IP: b.Host, Port: b.HTTPPort}
	}
	extra, err := json.Marshal(map[string]any{"be_network_map": network, "token": token})
	if err != nil {
		return nil, fmt.Errorf("encode extra_info: %w", err)
	}

	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("read the job info of the snapshot: %w", err)
	}
	if object == nil {
		return nil, errJobInfo
	}
	if _, present := object["extra_info"]; present || len(object) == 0 {
		object["extra_info"] = extra
		return json.Marshal(object)
	}
	body := bytes.TrimRight(raw, " \t\r\n")
	edited := make([]byte, 0, len(body)+len(extra)+16)
	edited = append(edited, body[:len(body)-1]...)
	edited = append(edited, `,"extra_info":`...)
	edited = append(edited, extra...)
	return append(edited, '}'), nil
}
