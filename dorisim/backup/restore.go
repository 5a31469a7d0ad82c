package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// RestoreTable is one entry of table_refs.
type RestoreTable struct{ Name, Alias string }

// RestoreRequest is a restoreSnapshot call (doris-rpc.md 3.12).
type RestoreRequest struct {
	DB, Label, Repository string
	Tables                []RestoreTable // empty: everything
	Properties            map[string]string
	Meta, JobInfo         []byte
	Compressed            bool

	CleanTables, CleanPartitions, Atomic, ForceReplace bool
}

// restoreOptions are the flags and properties of a restore.
type restoreOptions struct {
	reserveReplica, reserveDynamic, allowLoad, syncing bool
	cleanTables, cleanPartitions, atomic, force        bool
	replicas                                           int
	timeout                                            time.Duration
}

// restoreWork is what a restore job works on.
type restoreWork struct {
	dbName    string
	timestamp string
	objects   string
	options   restoreOptions
	info      *jobInfo
	meta      snapshotMeta
	aliases   map[string]string // source name -> name to restore as

	plan *plan
}

// target is the name under which a source object is restored.
func (w *restoreWork) target(name string) string {
	if alias, ok := w.aliases[name]; ok {
		return alias
	}
	return name
}

// Restore submits a restore job. Errors: *core.Error; what the statement is
// refused for has it appended, as in Doris.
func (m *Manager) Restore(ctx context.Context, r RestoreRequest) error {
	if err := m.decompress(&r); err != nil {
		return err
	}
	err := m.restore(ctx, r)
	var refusal *core.Error
	if errors.As(err, &refusal) {
		told := *refusal
		told.Message = refusal.Message + ", stmt: " + r.statement()
		return &told
	}
	return err
}

// statement prints the RESTORE statement that Doris makes of the call; the order
// of its properties is a hash order there.
func (r *RestoreRequest) statement() string {
	properties := maps.Clone(r.Properties)
	if properties == nil {
		properties = map[string]string{}
	}
	for key, set := range map[string]bool{
		"is_being_synced": true, "clean_tables": r.CleanTables, "clean_partitions": r.CleanPartitions,
		"atomic_restore": r.Atomic, "force_replace": r.ForceReplace,
	} {
		if set {
			properties[key] = "true"
		}
	}
	var lines, refs []string
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		lines = append(lines, fmt.Sprintf("%q  =  %q", key, properties[key]))
	}
	for _, t := range r.Tables {
		ref := r.DB + "." + t.Name
		if t.Alias != "" {
			ref += " AS " + t.Alias
		}
		refs = append(refs, ref)
	}
	on := ""
	if len(refs) > 0 {
		on = "ON \n(" + strings.Join(refs, ",\n") + "\n)\n"
	}
	return fmt.Sprintf("RESTORE SNAPSHOT `%s`.`%s`\nFROM %s\n%sPROPERTIES\n(%s\n)", r.DB, r.Label, r.Repository, on, strings.Join(lines, ",\n"))
}

func (m *Manager) restore(ctx context.Context, r RestoreRequest) error {
	options, err := m.restoreOptions(r)
	if err != nil {
		return err
	}
	return m.submit(ctx, r.Repository, r.DB, r.Label, func(db *catalog.Database) error {
		w, err := m.readSnapshot(r)
		if err != nil {
			return err
		}
		w.options, w.dbName = options, db.Name
		j := newJob(db.ID, r.Label, options.timeout, m.core.Now)
		j.restore = w
		m.core.NextJournal()
		return m.add(j, func(ctx context.Context) error { return m.runRestore(ctx, j) })
	})
}

// decompress replaces the two blobs by what is in them.
func (m *Manager) decompress(r *RestoreRequest) error {
	if !r.Compressed || m.core.FEConfig("enable_restore_snapshot_rpc_compression") != "true" {
		if isGzip(r.Meta) || isGzip(r.JobInfo) {
			return core.Errorf("The request is compressed, but the config `enable_restore_snapshot_rpc_compressed` is not enabled.")
		}
		return nil
	}
	var errMeta, errInfo error
	r.Meta, errMeta = gunzip(r.Meta)
	r.JobInfo, errInfo = gunzip(r.JobInfo)
	if errMeta != nil || errInfo != nil {
		return core.Errorf("decompress meta and job info failed")
	}
	return nil
}

// readSnapshot decodes the two blobs, checks extra_info and selects the objects.
func (m *Manager) readSnapshot(r RestoreRequest) (*restoreWork, error) {
	w := &restoreWork{info: &jobInfo{}, aliases: map[string]string{}}
	if err := json.Unmarshal(r.JobInfo, w.info); err != nil {
		return nil, core.Errorf("read job info failed: %v", err)
	}
	switch extra := w.info.Extra; {
	case extra == nil:
		return nil, refusef("Invalid job extra info empty")
	case len(extra.Backends) == 0:
		return nil, refusef("Invalid job extra info be network map")
	case extra.Token == "":
		return nil, refusef("Invalid job extra info token")
	case !w.info.complete():
		return nil, core.Errorf("read job info failed: a table, partition or index of it is null")
	}
	var err error
	if w.meta, err = decodeMeta(r.Meta); err != nil {
		return nil, core.Errorf("read backup meta failed")
	}
	w.timestamp = time.UnixMilli(w.info.BackupTime).Format("2006-01-02-15-04-05")
	return w, w.selectObjects(r)
}

func (m *Manager) restoreOptions(r RestoreRequest) (restoreOptions, error) {
	o := restoreOptions{
		cleanTables: r.CleanTables, cleanPartitions: r.CleanPartitions, atomic: r.Atomic, force: r.ForceReplace,
		syncing: true, timeout: m.defaultTimeout(), replicas: 3, // whatever default_replication_num says
	}
	flags := map[string]*bool{
		"reserve_replica": &o.reserveReplica, "reserve_dynamic_partition_enable": &o.reserveDynamic, "allow_load": &o.allowLoad,
		"clean_tables": &o.cleanTables, "clean_partitions": &o.cleanPartitions, "atomic_restore": &o.atomic,
		"force_replace": &o.force, "is_being_synced": &o.syncing,
	}
	if m.core.Version() != core.VersionNew {
		delete(flags, "force_replace") // it came later (doris-sql.md 4.5)
	}
	if r.Repository != LocalRepository && r.Properties["backup_timestamp"] == "" {
		return o, refusef("Missing backup_timestamp property")
	}
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(r.Properties)) {
		value := r.Properties[key]
		if flag, ok := flags[strings.ToLower(key)]; ok {
			switch strings.ToLower(value) {
			case "true":
				*flag = true
			case "false":
				*flag = false
			default:
				return o, core.Errorf("Invalid boolean property %s value: %s", key, value)
			}
			continue
		}
		var err error
		switch strings.ToLower(key) {
		case "backup_timestamp", "meta_version":
		case "timeout":
			o.timeout, err = parseTimeout(value)
		case "replication_num":
			o.replicas, err = strconv.Atoi(value)
		case "replication_allocation":
			o.replicas, err = strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(value, "tag.location.default:")))
		default:
			unknown = append(unknown, key)
		}
		var refusal *core.Error
		switch {
		case errors.As(err, &refusal):
			return o, err
		case err != nil:
			return o, core.Errorf("Invalid property %s value: %s", key, value)
		}
	}
	if len(unknown) > 0 {
		return o, core.Errorf("Unknown restore job properties: [%s]", strings.Join(unknown, ", "))
	}
	o.syncing = true // the RPC always sets it
	return o, nil
}

// selectObjects applies table_refs: what is not listed leaves the job
// (doris-sql.md 4.5).
func (w *restoreWork) selectObjects(r RestoreRequest) error {
	wanted := map[string]bool{}
	aliases := map[string]bool{}
	for _, ref := range r.Tables {
		if !slices.ContainsFunc(w.meta.Tables, func(t *catalog.Table) bool { return t.Name == ref.Name }) {
			return core.Errorf("Table %s does not exist in snapshot %s", ref.Name, w.info.Name)
		}
		wanted[ref.Name] = true
		if ref.Alias == "" || ref.Alias == ref.Name {
			continue
		}
		if aliases[ref.Alias] {
			return core.Errorf("Duplicated alias name: %s", ref.Alias)
		}
		aliases[ref.Alias] = true
		w.aliases[ref.Name] = ref.Alias
	}
	if len(r.Tables) > 0 {
		w.meta.Tables = slices.DeleteFunc(w.meta.Tables, func(t *catalog.Table) bool { return !wanted[t.Name] })
		maps.DeleteFunc(w.info.Tables, func(name string, _ *tableInfo) bool { return !wanted[name] })
		w.info.Others.Views = slices.DeleteFunc(w.info.Others.Views, func(v viewInfo) bool { return !wanted[v.Name] })
		w.info.Others.keepOdbc(func(name string) bool { return wanted[name] })
	}
	w.objects = w.objectsText()
	return nil
}

func (w *restoreWork) objectsText() string {
	text := objectsText{
		Name: w.info.Name, Database: w.info.Database, BackupTime: w.info.BackupTime, Content: w.info.Content,
		Tables: []olapTableText{}, Views: append([]viewInfo{}, w.info.Others.Views...),
		OdbcTables: append([]odbcTable{}, w.info.Others.OdbcTables...), OdbcResources: append([]odbcResource{}, w.info.Others.OdbcResources...),
	}
	for _, name := range slices.Sorted(maps.Keys(w.info.Tables)) {
		text.Tables = append(text.Tables, olapTableText{Name: name, Partitions: slices.Sorted(maps.Keys(w.info.Tables[name].Partitions))})
	}
	out, err := json.MarshalIndent(text, "", "  ")
	if err != nil {
		return "{}"
	}
	return string(out)
}

func (j *job) restoreRow() RestoreJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := j.restore
	return RestoreJob{
		JobID: j.id, Label: j.label, Timestamp: w.timestamp, DbName: w.dbName, State: j.state, AllowLoad: w.options.allowLoad,
		ReplicationNum: w.options.replicas, ReplicaAllocation: fmt.Sprintf("tag.location.default: %d", w.options.replicas),
		ReserveReplica: w.options.reserveReplica, ReserveDynamicPartitionEnable: w.options.reserveDynamic, RestoreObjs: w.objects,
		CreateTime: j.created, MetaPreparedTime: j.reached[stateSnapshoting], SnapshotFinishedTime: j.reached[stateDownload],
		DownloadFinishedTime: j.reached[stateCommit], FinishedTime: j.reached[stateFinished], UnfinishedTasks: j.tasks,
		Status: j.status, Timeout: int64(j.timeout / time.Second),
	}
}
