package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// alignment compares recorded answers with those of the simulator. Ids differ on
// both sides: the first pair that is met binds them, and later ones must agree
// with it, so that an answer with another object's id is a difference.
type alignment struct {
	ids, back map[int64]int64 // recorded <-> simulated
}

func newAlignment() *alignment {
	return &alignment{ids: map[int64]int64{}, back: map[int64]int64{}}
}

// same tells whether two numbers are the same id, and binds unbound ones.
func (a *alignment) same(recorded, got int64) bool {
	known, bound := a.ids[recorded]
	_, taken := a.back[got]
	if !bound && !taken {
		a.ids[recorded], a.back[got] = got, recorded
		return true
	}
	return bound && known == got
}

// simulated is the number that stands for a recorded one in a request.
func (a *alignment) simulated(recorded int64) int64 {
	if got, ok := a.ids[recorded]; ok {
		return got
	}
	return recorded
}

// What the values under a key are. Everything else is literal.
var (
	idKeys = setOf("id", "db_id", "txn_id", "table_ids", "sub_txn_ids", "backend_id", "dbId", "txnId", "tableId", "partitionId", "indexIds",
		"JobId", "TransactionId", "tablets_order", "commit_seq", "commitSeq", "belong", "dropped_tables", "dropped_partitions", "dropped_indexes",
		"tablet_be_map", "table_commit_seq_map", "jobId", "pid", "tblId", "db", "tb", "ind", "p", "bid", "iim",
		"DbId", "TableId", "PartitionId", "IndexId", "OriginIndexId", "RollupId", "TabletId", "ReplicaId", "BackendId", "Id")
	timeKeys = setOf("timestamp", "timeStamp", "backup_time", "PrepareTime", "CommitTime", "PublishTime", "FinishTime", "CreateTime",
		"SnapshotFinishedTime", "UploadFinishedTime", "FinishedTime", "MetaPreparedTime", "DownloadFinishedTime", "Timestamp", "PreCommitTime",
		"vvt", "recycleTime", "versionTime", "realDefaultValue", "VisibleVersionTime", "LastUpdateTime", "LastStartTime", "LastHeartbeat", "LoginTime",
		"LastSchedulerTime", "Create_time", "Update_time", "DropTime")
	// opaqueKeys have values that only must be there.
	opaqueKeys = setOf("host", "hostname", "ip", "port", "be_port", "http_port", "brpc_port", "token", "meta", "schema_hash",
		"label", "SchemaHash", "ClusterId", "EditLogPort", "HttpPort", "QueryPort", "RpcPort", "HeartbeatPort", "BePort", "BrpcPort", "PathHash", "Path",
		"MetaUrl", "CompactionStatus", "ReplayedJournalId", "TabletNum", "DataUsedCapacity", "TrashUsedCapacity", "AvailCapacity", "TotalCapacity", "UsedPct",
		"MaxDiskUsedPct", "CpuCores", "Memory", "QueryId", "Host")
	// keyedByID are objects whose keys are ids.
	keyedByID = setOf("tableRecords", "tablets", "tablet_be_map", "tablet_snapshot_path_map", "table_commit_seq_map", "be_network_map",
		"iim", "indexSchemaMap", "indexIdToSchemaVersion", "op")
	// unordered are lists in Doris' hash order.
	unordered = setOf("tables", "olap_table_list")
	// nested are strings that hold JSON.
	nested = setOf("data", "RestoreObjs", "job_info")
)

func setOf(keys ...string) map[string]bool {
	set := map[string]bool{}
	for _, k := range keys {
		set[k] = true
	}
	return set
}

// decode reads JSON with numbers as they are written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return v, nil
}

// wireFields is what of a Thrift struct was on the wire, as JSON values: unset fields
// are absent, empty lists are not.
func wireFields(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return wireFields(v.Elem())
	case reflect.Struct:
		object := map[string]any{}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("thrift"), ",")
			field := v.Field(i)
			switch field.Kind() {
			case reflect.Pointer, reflect.Slice, reflect.Map:
				if field.IsNil() {
					continue
				}
			}
			object[name] = wireFields(field)
		}
		return object
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return string(v.Bytes())
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = wireFields(v.Index(i))
		}
		return list
	case reflect.Map:
		object := map[string]any{}
		for _, k := range v.MapKeys() {
			object[fmt.Sprint(k.Interface())] = wireFields(v.MapIndex(k))
		}
		return object
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	}
	return json.Number(fmt.Sprintf("%d", v.Interface()))
}

// differences compares two answers; key is the last object key on the way.
func (a *alignment) differences(path, key string, recorded, got any) []string {
	differ := func() []string {
		if r, ok := recorded.(string); ok {
			if g, ok := got.(string); ok {
				r, g = apart(r, g)
				return []string{fmt.Sprintf("%s: recorded %s, dorisim has %s", path, brief(r), brief(g))}
			}
		}
		return []string{fmt.Sprintf("%s: recorded %s, dorisim has %s", path, brief(recorded), brief(got))}
	}
	switch {
	case opaqueKeys[key]:
		if reflect.TypeOf(recorded) != reflect.TypeOf(got) || got == "" && recorded != "" {
			return differ()
		}
		return nil
	case timeKeys[key]:
		if isTime(recorded) != isTime(got) || !isTime(recorded) && !reflect.DeepEqual(recorded, got) {
			return differ()
		}
		return nil
	case key == "SchemaVersion":
		recorded, got = withoutHash(recorded), withoutHash(got)
	case key == "sql" || key == "properties":
		recorded, got = setItems(recorded), setItems(got)
	case key == "UnfinishedTasks":
		recorded, got = taskList(recorded), taskList(got)
	case key == "BackupObjs":
		recorded, got = nameList(recorded), nameList(got)
	}
	switch r := recorded.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return differ()
		}
		return a.objects(path, key, r, g)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(r) {
			return differ()
		}
		var found []string
		if unordered[key] {
			r, g = byName(r), byName(g)
		}
		for i := range r {
			inner := key
			if _, object := r[i].(map[string]any); object {
				inner = "" // what the key says is about lists of values
			}
			found = append(found, a.differences(fmt.Sprintf("%s[%d]", path, i), inner, r[i], g[i])...)
		}
		return found
	case string:
		g, ok := got.(string)
		if ok && a.sameText(key, r, g) {
			return nil
		}
		if ok && nested[key] {
			return a.nested(path, r, g)
		}
		return differ()
	case json.Number:
		if g, ok := got.(json.Number); ok && a.sameNumber(key, r, g) {
			return nil
		}
		return differ()
	}
	if !reflect.DeepEqual(recorded, got) {
		return differ()
	}
	return nil
}

// apart cuts long texts to where they begin to differ.
func apart(recorded, got string) (string, string) {
	const before = 40
	same := 0
	for same < min(len(recorded), len(got)) && recorded[same] == got[same] {
		same++
	}
	if same <= before {
		return recorded, got
	}
	return "..." + recorded[same-before:], "..." + got[same-before:]
}

func (a *alignment) sameNumber(key string, recorded, got json.Number) bool {
	if recorded == got && !idKeys[key] {
		return true
	}
	r, err1 := recorded.Int64()
	g, err2 := got.Int64()
	if err1 != nil || err2 != nil || !idKeys[key] {
		return false
	}
	if r <= 0 || g <= 0 {
		return r == g // -1, 0 stand for "none"
	}
	return a.same(r, g)
}

// bindKeys pairs the keys that stand for ids which are met for the first time, in
// their order.
func (a *alignment) bindKeys(recorded, got map[string]any) {
	unbound := func(object, other map[string]any, bound map[int64]int64) []int64 {
		var list []int64
		for k := range object {
			id, err := strconv.ParseInt(k, 10, 64)
			if _, known := bound[id]; err == nil && !known && other[k] == nil {
				list = append(list, id)
			}
		}
		slices.Sort(list)
		return list
	}
	r, g := unbound(recorded, got, a.ids), unbound(got, recorded, a.back)
	for i := range min(len(r), len(g)) {
		a.same(r[i], g[i])
		k := strconv.FormatInt(g[i], 10)
		got[strconv.FormatInt(r[i], 10)] = got[k]
		delete(got, k)
	}
}

func (a *alignment) objects(path, key string, recorded, got map[string]any) []string {
	var found []string
	if reflect.DeepEqual(recorded["columns"], got["columns"]) && recorded["columns"] != nil {
		return a.differences(path, key, rowsOf(recorded), rowsOf(got))
	}
	recorded, got = maps.Clone(recorded), maps.Clone(got)
	if key == "status" {
		delete(recorded, "name")
	}
	if keyedByID[key] {
		for _, id := range slices.Sorted(maps.Keys(recorded)) {
			n, err := strconv.ParseInt(id, 10, 64)
			if simulated := strconv.FormatInt(a.simulated(n), 10); err == nil && simulated != id {
				if v, ok := got[simulated]; ok {
					got[id] = v
					delete(got, simulated)
				}
			}
		}
	}
	if keyedByID[key] {
		a.bindKeys(recorded, got)
	}
	for _, k := range slices.Sorted(maps.Keys(recorded)) {
		v, ok := got[k]
		if !ok {
			found = append(found, fmt.Sprintf("%s.%s: recorded %s, dorisim does not set it", path, k, brief(recorded[k])))
			continue
		}
		inner := k
		if idKeys[key] && keyedByID[key] {
			inner = key // ids as values of ids
		} else if keyedByID[key] {
			inner = ""
		}
		found = append(found, a.differences(path+"."+k, inner, recorded[k], v)...)
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := recorded[k]; !ok {
			found = append(found, fmt.Sprintf("%s.%s: not set in the recording, dorisim has %s", path, k, brief(got[k])))
		}
	}
	return found
}

// nested compares JSON inside of a string: its contents, and its layout.
func (a *alignment) nested(path, recorded, got string) []string {
	r, err1 := decode([]byte(recorded))
	g, err2 := decode([]byte(got))
	if err1 != nil || err2 != nil {
		return []string{fmt.Sprintf("%s: recorded %s, dorisim has %s", path, brief(recorded), brief(got))}
	}
	found := a.differences(path, "", r, g)
	if strings.Count(recorded, "\n") != strings.Count(got, "\n") {
		found = append(found, path+": other line breaks")
	}
	return found
}

var (
	numbers       = regexp.MustCompile(`\d+`)
	snapshotPath  = regexp.MustCompile(`^/.*/snapshot/\d{14}\.\d+\.\d+$`)
	snapshotFile  = regexp.MustCompile(`^[0-9a-f]{10,}_(\d+)\.dat$`)
	databaseTimes = regexp.MustCompile(`^\d{4}-\d\d-\d\d[ -]\d\d[:-]\d\d[:-]\d\d(\.\d+)?$`)
)

// sameText compares texts; numbers in them are ids where both sides have bound
// them.
func (a *alignment) sameText(key, recorded, got string) bool {
	if recorded == got {
		return true
	}
	if snapshotPath.MatchString(recorded) {
		return snapshotPath.MatchString(got)
	}
	if m := snapshotFile.FindStringSubmatch(recorded); m != nil {
		g := snapshotFile.FindStringSubmatch(got)
		return g != nil && g[1] == m[1]
	}
	if numbers.ReplaceAllString(recorded, "#") != numbers.ReplaceAllString(got, "#") {
		return false
	}
	r, g := numbers.FindAllString(recorded, -1), numbers.FindAllString(got, -1)
	for i := range r {
		rn, err1 := strconv.ParseInt(r[i], 10, 64)
		gn, err2 := strconv.ParseInt(g[i], 10, 64)
		if r[i] == g[i] && (a.ids[rn] == 0 || a.ids[rn] == gn) {
			continue
		}
		if err1 != nil || err2 != nil || a.ids[rn] == 0 && !idKeys[key] && !idInText(recorded, r[i]) || !a.same(rn, gn) {
			return false
		}
	}
	return true
}

// idInText tells whether a text says that the number is an id.
func idInText(text, number string) bool {
	for _, before := range []string{"txn ", "tablet ", "table ", "id=", "replicaId=", "backendId=", "table: ", "partition: ", "jobId = ", "txn [", "transaction ["} {
		if strings.Contains(text, before+number) {
			return true
		}
	}
	return false
}

// isTime tells whether a value is a moment and not a sentinel.
func isTime(v any) bool {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		return err == nil && n > time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	case string:
		return databaseTimes.MatchString(v) || isTime(json.Number(v))
	}
	return false
}

// taskList turns "tablet=backend, ..." into an object.
func taskList(v any) any {
	text, ok := v.(string)
	if !ok || text == "" {
		return v
	}
	return json.Number(strconv.Itoa(strings.Count(text, "=")))
}

// nameList sorts "[db.a], [db.b]".
func nameList(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	parts := strings.Split(text, ", ")
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// withoutHash is the version of "version:hash".
func withoutHash(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	version, _, _ := strings.Cut(text, ":")
	return version
}

// setItems sorts the items of "SET (a=1,b=2)": their order is a hash's.
func setItems(v any) any {
	text, ok := v.(string)
	if !ok || !strings.HasPrefix(text, "SET (") {
		return v
	}
	items := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, "SET ("), ")"), ",")
	slices.Sort(items)
	return strings.Join(items, ",")
}

// byName sorts objects by their name.
func byName(list []any) []any {
	name := func(v any) string {
		o, _ := v.(map[string]any)
		return fmt.Sprint(o["name"])
	}
	return slices.SortedFunc(slices.Values(list), func(x, y any) int { return strings.Compare(name(x), name(y)) })
}

func brief(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > 400 {
		return string(text[:400]) + "..."
	}
	return string(text)
}
